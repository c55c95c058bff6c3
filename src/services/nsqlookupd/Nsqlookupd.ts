/**
 * The daemon nsqlookupd as a Layer: the registrations, and the listeners that change and serve them. Closing its Scope ends the
 * connections; registrations are not stored.
 */
import { Context, Data, Effect, Layer } from "effect"
import { DaemonState } from "../core/DaemonState.ts"
import * as Version from "../core/Version.ts"
import * as Exposure from "../net/Exposure.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import { LookupHttp } from "./LookupHttp.ts"
import { LookupTcp } from "./LookupTcp.ts"
import * as Options from "./NsqlookupdOptions.ts"
import { Registrations } from "./Registrations.ts"

/** nsqlookupd failed to start, or cannot continue. */
export class NsqlookupdFailure extends Data.TaggedError("NsqlookupdFailure")<{ readonly message: string }> {}

const startFailure = ({ message }: { readonly message: string }): NsqlookupdFailure =>
  new NsqlookupdFailure({ message: `failed to instantiate nsqlookupd - ${message}` })

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
  readonly failed: Effect.Effect<never, NsqlookupdFailure>
}>()("effect-nsq/Nsqlookupd") {
  /** The daemon with the options of the environment. */
  static readonly layer: Layer.Layer<Nsqlookupd, NsqlookupdFailure> = Layer.effect(
    Nsqlookupd,
    Effect.gen(function*() {
      yield* Effect.mapError(Options.check(yield* Options.NsqlookupdOptions), startFailure)
      yield* Effect.logInfo(Version.banner("nsqlookupd"))
      const listening = yield* Effect.mapError(Layer.build(listeners), startFailure)
      const tcp = Context.get(listening, LookupTcp)
      const http = Context.get(listening, LookupHttp)
      yield* Exposure.warn([{ name: "TCP", address: tcp.address }, { name: "HTTP", address: http.address }])
      return Nsqlookupd.of({
        tcpAddress: tcp.address,
        httpAddress: http.address,
        failed: Effect.mapError(
          Effect.raceFirst(tcp.broken, http.broken),
          ({ message }) => new NsqlookupdFailure({ message })
        )
      })
    })
  )

  /** The daemon with NSQ's defaults except for the given options. */
  static readonly layerWith = (
    options: Partial<Options.NsqlookupdOptions>
  ): Layer.Layer<Nsqlookupd, NsqlookupdFailure> => Nsqlookupd.layer.pipe(Layer.provide(Options.layer(options)))
}

/** TCP is built last because the IDENTIFY response includes the HTTP port. */
const listeners = LookupTcp.layer.pipe(
  Layer.provideMerge(LookupHttp.layer),
  Layer.provide(NodeTransport.layer),
  Layer.provide(Layer.mergeAll(DaemonState.layer, Registrations.layer))
)
