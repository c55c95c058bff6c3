/**
 * An HTTP client over `node:http` that is loaded with its first request, as is Effect's module of HTTP clients, because many clients of
 * NSQ send none.
 */
import { Context, type Duration, Effect, Inspectable, Layer, Pipeable } from "effect"
import type { HttpClient } from "effect/http"

/**
 * The service `HttpClient.HttpClient` by its key; its module takes a third of the CPU time of a client's import. A test compares the two.
 */
export const service: Context.Service<HttpClient.HttpClient, HttpClient.HttpClient> = Context.Service(
  "effect/HttpClient"
)

/** A client whose operations wait until another one is loaded. */
class LazyHttpClient extends Pipeable.Class implements HttpClient.HttpClient {
  readonly "~effect/http/HttpClient" = "~effect/http/HttpClient"
  private readonly loaded: Effect.Effect<HttpClient.HttpClient>

  constructor(loaded: Effect.Effect<HttpClient.HttpClient>) {
    super()
    this.loaded = loaded
  }

  readonly preprocess: HttpClient.HttpClient["preprocess"] = (request) =>
    Effect.flatMap(this.loaded, (client) => client.preprocess(request))
  readonly postprocess: HttpClient.HttpClient["postprocess"] = (request) =>
    Effect.flatMap(this.loaded, (client) => client.postprocess(request))
  readonly execute: HttpClient.HttpClient["execute"] = (request) =>
    Effect.flatMap(this.loaded, (client) => client.execute(request))
  readonly get: HttpClient.HttpClient["get"] = (...args) => Effect.flatMap(this.loaded, (client) => client.get(...args))
  readonly query: HttpClient.HttpClient["query"] = (...args) =>
    Effect.flatMap(this.loaded, (client) => client.query(...args))
  readonly head: HttpClient.HttpClient["head"] = (...args) =>
    Effect.flatMap(this.loaded, (client) => client.head(...args))
  readonly post: HttpClient.HttpClient["post"] = (...args) =>
    Effect.flatMap(this.loaded, (client) => client.post(...args))
  readonly patch: HttpClient.HttpClient["patch"] = (...args) =>
    Effect.flatMap(this.loaded, (client) => client.patch(...args))
  readonly put: HttpClient.HttpClient["put"] = (...args) => Effect.flatMap(this.loaded, (client) => client.put(...args))
  readonly del: HttpClient.HttpClient["del"] = (...args) => Effect.flatMap(this.loaded, (client) => client.del(...args))
  readonly options: HttpClient.HttpClient["options"] = (...args) =>
    Effect.flatMap(this.loaded, (client) => client.options(...args))

  toJSON(): unknown {
    return { _id: "effect/HttpClient" }
  }

  [Inspectable.NodeInspectSymbol](): unknown {
    return this.toJSON()
  }

  override toString(): string {
    return JSON.stringify(this.toJSON())
  }
}

/**
 * Provides it. Connecting fails after `connectTimeout`. Requests in progress end with the Scope. Requests have no spans and no
 * headers of traces.
 */
export const layer = (connectTimeout: Duration.Duration): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    service,
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const loaded = yield* Effect.cached(
        Effect.flatMap(
          Effect.promise(() => import("./HttpClients.ts")),
          (HttpClients) => Layer.buildWithScope(HttpClients.layer({ httpClientConnectTimeout: connectTimeout }), scope)
        )
      )
      return new LazyHttpClient(Effect.map(loaded, (context) => Context.get(context, service)))
    })
  )
