/**
 * nsqlookupd, nsqd and nsqadmin in one process, connected to each other: for development, and as an example of composing the
 * daemons' Layers.
 */
import { Context, Effect, Layer } from "effect"
import { mkdir } from "node:fs/promises"
import type { Cluster } from "../cluster/Cluster.ts"
import type { ClusterActions } from "../cluster/ClusterActions.ts"
import type { CompleteLayer } from "../core/CompleteLayer.ts"
import { Nsqadmin } from "../nsqadmin/Nsqadmin.ts"
import { Nsqd } from "../nsqd/Nsqd.ts"
import type * as NsqdPieces from "../nsqd/NsqdPieces.ts"
import { Nsqlookupd } from "../nsqlookupd/Nsqlookupd.ts"
import type { Registrations } from "../nsqlookupd/Registrations.ts"
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

/** What the daemons give out while they run. */
type Given =
  | Standalone
  | Nsqd
  | NsqdPieces.Given
  | Nsqlookupd
  | Registrations
  | Nsqadmin
  | Cluster
  | ClusterActions

/** The daemons build these services themselves. */
type Own = Exclude<Given, Standalone> | NsqdPieces.Own

/**
 * The three running daemons. Its Layers also give out the daemons and what these give out, such as `Broker` and `Publisher`.
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
  static layer(options: Options.DaemonsOptions): CompleteLayer<Given, StandaloneError, never, Own>
  static layer(options: Options.DaemonsOptions): Layer.Layer<Given, StandaloneError> {
    return layerOf(options)
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

const layerOf = (options: Options.DaemonsOptions): Layer.Layer<Given, StandaloneError> => {
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
  return Layer.effectContext(
    Effect.gen(function*() {
      const daemons = yield* Layer.build(
        nsqadmin.pipe(Layer.provideMerge(nsqd), Layer.provideMerge(lookupd))
      )
      const { failed: nsqdFailed, httpPort, reload, tcpPort } = Context.get(daemons, Nsqd)
      const lookup = Context.get(daemons, Nsqlookupd)
      const admin = Context.get(daemons, Nsqadmin)
      return Context.add(daemons, Standalone, {
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

const messageOf = (cause: unknown): string => cause instanceof Error ? cause.message : String(cause)

const failure = (reason: StandaloneErrorReason): StandaloneError => new StandaloneError({ reason })
