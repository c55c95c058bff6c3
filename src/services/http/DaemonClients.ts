/**
 * HTTP clients for daemons: one for configured addresses, and two for announced addresses. The latter resolve a name only to
 * allowed IP addresses, even if the name has changed since its check.
 */
import { Context, Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import { type DaemonHttp, type DaemonHttpLimits, NamedClients } from "./DaemonHttp.ts"
import * as Daemons from "./DaemonHttp.ts"
import * as HttpClients from "./HttpClients.ts"

type Options = DaemonHttpLimits & Pick<HttpClients.HttpOptions, "httpClientConnectTimeout">

/** Provides `DaemonHttp` with these clients. */
export const layer = (options: Options, tls: HttpClients.ClientTls = {}): Layer.Layer<DaemonHttp> => {
  const named = Layer.effect(
    NamedClients,
    Effect.gen(function*() {
      const networks = yield* DaemonNetworks
      const clientOf = (origin: Origin) =>
        Effect.map(
          Layer.build(HttpClients.layer(options, tls, networks.lookup(origin))),
          (context) => Context.get(context, HttpClient.HttpClient)
        )
      const [loopback, remote] = yield* Effect.all([clientOf("loopback"), clientOf("remote")])
      return (origin: Origin) => origin === "loopback" ? loopback : remote
    })
  )
  return Daemons.DaemonHttp.layer(options).pipe(Layer.provide(named), Layer.provide(HttpClients.layer(options, tls)))
}
