/**
 * The daemon nsqlookupd as a Layer: the registrations, and the listeners that change and serve them. Closing its Scope ends the
 * connections; registrations are not stored.
 */
import { Context, Effect, Layer } from "effect"
import { DaemonState } from "../core/DaemonState.ts"
import * as Version from "../core/Version.ts"
import * as Exposure from "../net/Exposure.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import { LookupHttp } from "./LookupHttp.ts"
import { LookupTcp } from "./LookupTcp.ts"
import { NsqlookupdError, NsqlookupdErrorReason } from "./NsqlookupdError.ts"
import * as Options from "./NsqlookupdOptions.ts"
import { Registrations } from "./Registrations.ts"

const failure =
  (tag: NsqlookupdErrorReason["_tag"]) => ({ message: description }: { readonly message: string }): NsqlookupdError =>
    new NsqlookupdError({ reason: NsqlookupdErrorReason[tag]({ description }) })

/**
 * A running nsqlookupd.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const { httpAddress } = yield* Nsqlookupd
 *   yield* Effect.log(httpAddress)
 * }).pipe(Effect.provide(Nsqlookupd.layerWith({ tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" })))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Nsqlookupd extends Context.Service<Nsqlookupd, {
  /** Bound address for nsqd, `host:port`. */
  readonly tcpAddress: string
  /** Bound address of the HTTP API, `host:port`. */
  readonly httpAddress: string
  /** Fails when the daemon cannot continue, for example because a listener broke. */
  readonly failed: Effect.Effect<never, NsqlookupdError>
}>()("effect-nsq/Nsqlookupd") {
  /** The daemon with the options of the environment. */
  static readonly layer: Layer.Layer<Nsqlookupd, NsqlookupdError> = Layer.effect(
    Nsqlookupd,
    Effect.gen(function*() {
      yield* Effect.mapError(Options.check(yield* Options.NsqlookupdOptions), failure("InvalidOption"))
      yield* Effect.logInfo(Version.banner("nsqlookupd"))
      const listening = yield* Effect.mapError(Layer.build(listeners), failure("ListenFailure"))
      const tcp = Context.get(listening, LookupTcp)
      const http = Context.get(listening, LookupHttp)
      yield* Exposure.warn([{ name: "TCP", address: tcp.address }, { name: "HTTP", address: http.address }])
      return Nsqlookupd.of({
        tcpAddress: tcp.address,
        httpAddress: http.address,
        failed: Effect.mapError(
          Effect.raceFirst(tcp.broken, http.broken),
          failure("ListenerLoss")
        )
      })
    })
  )

  /** The daemon with NSQ's defaults except for the given options. */
  static readonly layerWith = (
    options: Options.Changes
  ): Layer.Layer<Nsqlookupd, NsqlookupdError> => Nsqlookupd.layer.pipe(Layer.provide(Options.layer(options)))
}

/** TCP is built last because the IDENTIFY response includes the HTTP port. */
const listeners = LookupTcp.layer.pipe(
  Layer.provideMerge(LookupHttp.layer),
  Layer.provide(NodeTransport.layer),
  Layer.provide(Layer.mergeAll(DaemonState.layer, Registrations.layer))
)
