/**
 * The daemon nsqlookupd as one Layer: the registrations and the listeners through which they are made and looked up. Closing
 * its Scope ends the connections; nothing is kept.
 */
import { Context, Data, Effect, Layer } from "effect"
import { ListenAddresses } from "../core/ListenAddresses.ts"
import * as Version from "../core/Version.ts"
import * as Exposure from "../net/Exposure.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import { LookupHttp } from "./LookupHttp.ts"
import { LookupTcp } from "./LookupTcp.ts"
import * as Options from "./NsqlookupdOptions.ts"
import { Registrations } from "./Registrations.ts"

/** The daemon did not start, or cannot go on. */
export class NsqlookupdFailure extends Data.TaggedError("NsqlookupdFailure")<{ readonly message: string }> {}

/** A running nsqlookupd. */
export class Nsqlookupd extends Context.Service<Nsqlookupd, {
  /** `host:port` for nsqd, as bound. */
  readonly tcpAddress: string
  /** `host:port` of the HTTP API, as bound. */
  readonly httpAddress: string
  /** Fails when the daemon cannot go on, for example because its listener broke. */
  readonly failed: Effect.Effect<never, NsqlookupdFailure>
}>()("effect-nsq/Nsqlookupd") {
  static readonly layer: Layer.Layer<Nsqlookupd, NsqlookupdFailure> = Layer.effect(
    Nsqlookupd,
    Effect.gen(function*() {
      yield* Effect.logInfo(Version.banner("nsqlookupd"))
      const listening = yield* Effect.mapError(
        Layer.build(listeners),
        ({ message }) => new NsqlookupdFailure({ message: `failed to instantiate nsqlookupd - ${message}` })
      )
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

  /** A daemon with NSQ's defaults except for the options given. */
  static readonly layerWith = (options: Partial<Options.LookupdOptions>): Layer.Layer<Nsqlookupd, NsqlookupdFailure> =>
    Nsqlookupd.layer.pipe(Layer.provide(Options.layer(options)))
}

/** TCP comes last: who introduces himself is told the HTTP port. */
const listeners = LookupTcp.layer.pipe(
  Layer.provideMerge(LookupHttp.layer),
  Layer.provide(NodeTransport.layer),
  Layer.provide(Layer.mergeAll(ListenAddresses.layer, Registrations.layer))
)
