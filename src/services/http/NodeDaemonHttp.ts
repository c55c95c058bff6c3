/**
 * `DaemonHttp` over `node:http`. The HTTP client is loaded with the first request, because many runs of nsqd and of the tools need
 * none.
 */
import { Context, Effect, Layer } from "effect"
import { DaemonHttp, type DaemonHttpLimits } from "./DaemonHttp.ts"
import type * as HttpClients from "./HttpClients.ts"

/** Provides it. Uses the `DaemonNetworks` of the context. */
export const layer = (
  options: DaemonHttpLimits & Pick<HttpClients.HttpOptions, "httpClientConnectTimeout">,
  tls: HttpClients.ClientTls = {},
  connections: HttpClients.Connections = {}
): Layer.Layer<DaemonHttp> =>
  Layer.effect(
    DaemonHttp,
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const context = yield* Effect.context<never>()
      const loaded = yield* Effect.cached(
        Effect.promise(() => import("./DaemonRequests.ts")).pipe(
          Effect.flatMap(({ layerNode }) => Layer.buildWithScope(layerNode(options, tls, connections), scope)),
          Effect.map((built) => Context.get(built, DaemonHttp)),
          Effect.provideContext(context)
        )
      )
      return {
        get: (schema, address, path, origin) => Effect.flatMap(loaded, ({ get }) => get(schema, address, path, origin)),
        getByTopic: (schemas, address, path, origin) =>
          Effect.flatMap(loaded, ({ getByTopic }) => getByTopic(schemas, address, path, origin)),
        forEachTopic: (schemas, address, path, begin, origin) =>
          Effect.flatMap(loaded, ({ forEachTopic }) => forEachTopic(schemas, address, path, begin, origin)),
        post: (address, path, body, origin) => Effect.flatMap(loaded, ({ post }) => post(address, path, body, origin)),
        exchange: (schema, method, address, path, body, origin) =>
          Effect.flatMap(loaded, ({ exchange }) => exchange(schema, method, address, path, body, origin)),
        send: (method, address, path, origin) =>
          Effect.flatMap(loaded, ({ send }) => send(method, address, path, origin))
      }
    })
  )
