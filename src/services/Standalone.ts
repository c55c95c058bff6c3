/**
 * nsqlookupd and nsqd in one process, wired together: for development, and as an example of composing the daemons' Layers.
 */
import { Context, Data, Effect, Layer } from "effect"
import { Nsqd } from "./Nsqd.ts"
import { Nsqlookupd } from "./Nsqlookupd.ts"
import type { LookupdOptions } from "./options/LookupdOptions.ts"
import type { NsqdOptions } from "./options/NsqdOptions.ts"

export interface StandaloneOptions {
  readonly nsqd: Partial<NsqdOptions>
  readonly nsqlookupd: Partial<LookupdOptions>
}

/** One of the daemons did not start, or cannot go on. */
export class StandaloneFailure extends Data.TaggedError("StandaloneFailure")<{ readonly message: string }> {}

/** Where the daemons listen; a client on this machine can use the ports with `127.0.0.1`. */
export interface Addresses {
  readonly nsqdTcpPort: number
  readonly nsqdHttpPort: number
  readonly lookupdTcpPort: number
  readonly lookupdHttpPort: number
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

/** Everybody is on this machine, so that is where nsqd says it is. */
const here = "127.0.0.1"

export class Standalone extends Context.Service<Standalone, {
  readonly addresses: Addresses
  readonly reload: Effect.Effect<void>
  readonly failed: Effect.Effect<never, StandaloneFailure>
}>()("effect-nsq/Standalone") {
  /** The nsqd ends first, so that it can still say goodbye to its nsqlookupd. */
  static readonly layer = (options: StandaloneOptions): Layer.Layer<Standalone, StandaloneFailure> => {
    const lookupd = Nsqlookupd.layerWith({ broadcastAddress: here, ...options.nsqlookupd })
    const nsqd = Layer.unwrap(Effect.map(Nsqlookupd, ({ tcpAddress }) =>
      Nsqd.layerWith({
        broadcastAddress: here,
        lookupdTcpAddresses: [`${here}:${portOf(tcpAddress)}`],
        ...options.nsqd
      })))
    return Layer.effect(
      Standalone,
      Effect.gen(function*() {
        const daemons = yield* Layer.build(nsqd.pipe(Layer.provideMerge(lookupd)))
        const [{ failed: nsqdFailed, httpPort, reload, tcpPort }, lookup] = [
          Context.get(daemons, Nsqd),
          Context.get(daemons, Nsqlookupd)
        ]
        return Standalone.of({
          addresses: {
            nsqdTcpPort: tcpPort,
            nsqdHttpPort: httpPort,
            lookupdTcpPort: portOf(lookup.tcpAddress),
            lookupdHttpPort: portOf(lookup.httpAddress)
          },
          reload,
          failed: Effect.mapError(Effect.raceFirst(nsqdFailed, lookup.failed), toFailure)
        })
      }).pipe(Effect.mapError(toFailure))
    )
  }
}

const toFailure = ({ message }: { readonly message: string }): StandaloneFailure => new StandaloneFailure({ message })
