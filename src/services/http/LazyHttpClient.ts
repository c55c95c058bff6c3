/**
 * An HTTP client over `node:http` that is loaded with its first request, because many clients of NSQ send none (measured: 40 ms).
 */
import { Context, type Duration, Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import { untraced } from "./Untraced.ts"

/**
 * Provides it. Connecting fails after `connectTimeout`. Requests in progress end with the Scope. Requests have no spans and no
 * headers of traces.
 */
export const layer = (connectTimeout: Duration.Duration): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const loaded = yield* Effect.cached(
        Effect.flatMap(
          Effect.promise(() => import("./HttpClients.ts")),
          (HttpClients) => Layer.buildWithScope(HttpClients.layer({ httpClientConnectTimeout: connectTimeout }), scope)
        )
      )
      return untraced(
        HttpClient.make((request) =>
          Effect.flatMap(loaded, (context) => Context.get(context, HttpClient.HttpClient).execute(request))
        )
      )
    })
  )
