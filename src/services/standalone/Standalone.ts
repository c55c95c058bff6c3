/**
 * nsqlookupd, nsqd and nsqadmin in one process, connected to each other: for development, and as an example of composing the
 * daemons' Layers.
 */
import { Context, Effect, Layer } from "effect"
import { mkdir } from "node:fs/promises"
import { Nsqadmin } from "../nsqadmin/Nsqadmin.ts"
import { Nsqd } from "../nsqd/Nsqd.ts"
import { Nsqlookupd } from "../nsqlookupd/Nsqlookupd.ts"
import { StandaloneError, type StandaloneErrorReason } from "./StandaloneError.ts"
import * as Options from "./StandaloneOptions.ts"

/** The ports of the daemons; clients on this machine connect to `127.0.0.1`. */
export interface Addresses {
  readonly nsqdTcpPort: number
  readonly nsqdHttpPort: number
  readonly lookupdTcpPort: number
  readonly lookupdHttpPort: number
  readonly adminHttpPort: number
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

/** The broadcast address of the daemons, which are all on this machine. */
const here = "127.0.0.1"

/**
 * The three running daemons.
 *
 * @since 0.1.0
 * @category services
 */
export class Standalone extends Context.Service<Standalone, {
  /** The bound ports. */
  readonly addresses: Addresses
  /** Reloads nsqd. */
  readonly reload: Effect.Effect<void>
  /** Fails when a daemon cannot continue. */
  readonly failed: Effect.Effect<never, StandaloneError>
}>()("effect-nsq/Standalone") {
  /** Starts the daemons. They stop in reverse order, so that nsqd can still unregister from nsqlookupd. */
  static readonly layer = (options: Options.DaemonsOptions): Layer.Layer<Standalone, StandaloneError> => {
    const lookupd = Nsqlookupd.layerWith({ broadcastAddress: here, ...options.nsqlookupd })
    const nsqd = Layer.unwrap(Effect.map(Nsqlookupd, ({ tcpAddress }) =>
      Nsqd.layerWith({
        broadcastAddress: here,
        lookupdTcpAddresses: [`${here}:${portOf(tcpAddress)}`],
        ...options.nsqd
      })))
    const nsqadmin = Layer.unwrap(
      Effect.map(
        Nsqlookupd,
        ({ httpAddress }) =>
          Nsqadmin.layerWith({ lookupdHttpAddresses: [`${here}:${portOf(httpAddress)}`], ...options.nsqadmin })
      )
    )
    return Layer.effect(
      Standalone,
      Effect.gen(function*() {
        const daemons = yield* Layer.build(
          nsqadmin.pipe(Layer.provideMerge(nsqd), Layer.provideMerge(lookupd))
        )
        const { failed: nsqdFailed, httpPort, reload, tcpPort } = Context.get(daemons, Nsqd)
        const lookup = Context.get(daemons, Nsqlookupd)
        const admin = Context.get(daemons, Nsqadmin)
        return Standalone.of({
          addresses: {
            nsqdTcpPort: tcpPort,
            nsqdHttpPort: httpPort,
            lookupdTcpPort: portOf(lookup.tcpAddress),
            lookupdHttpPort: portOf(lookup.httpAddress),
            adminHttpPort: portOf(admin.httpAddress)
          },
          reload,
          failed: Effect.mapError(
            Effect.raceAllFirst<Effect.Effect<never, StandaloneErrorReason>>([nsqdFailed, lookup.failed, admin.failed]),
            failure
          )
        })
      }).pipe(Effect.mapError(failure))
    )
  }

  /** Starts the daemons with the options of the program. Creates the data directory if it does not exist. */
  static readonly layerOfProgram: Layer.Layer<Standalone, StandaloneError> = Layer.unwrap(Effect.gen(function*() {
    const options = yield* Options.StandaloneOptions
    yield* Effect.tryPromise({
      try: () => mkdir(options.dataPath, { recursive: true }),
      catch: (cause) => failure({ _tag: "DataDirectoryFailure", description: messageOf(cause) })
    })
    return Standalone.layer(Options.daemons(options))
  }))
}

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const failure = (reason: StandaloneErrorReason): StandaloneError => new StandaloneError({ reason })
