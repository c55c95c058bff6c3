/**
 * HTTP clients for daemons: one for what the operator configured, and for what daemons name two that find only IP addresses that
 * these may name, whatever a name stood for when it was checked.
 */
import { Context, Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import { type DaemonHttp, type DaemonHttpLimits, NamedClients } from "./DaemonHttp.ts"
import * as Daemons from "./DaemonHttp.ts"
import * as HttpClients from "./HttpClients.ts"

type Options = DaemonHttpLimits & Pick<HttpClients.HttpOptions, "httpClientConnectTimeout">

/** `DaemonHttp` with these clients. */
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
