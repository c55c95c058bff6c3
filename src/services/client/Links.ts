/**
 * Keeps a connection to every nsqd that discovery names: connects, connects again with growing pauses when one is lost, and
 * stops for those that are neither connected nor named any more. What a connection is used for is its owner's business.
 */
import { Duration, Effect, FiberMap, Schedule, type Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import type { TopicName } from "../../protocol/client/Names.ts"
import * as NamedTransport from "../net/NamedTransport.ts"
import { Transport } from "../net/Transport.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import * as Discovery from "./Discovery.ts"
import * as NsqdConnection from "./NsqdConnection.ts"

const firstPause = "100 millis"
const longestPause = "10 seconds"
/** A connection that held this long does not count as another failure. */
const steadyMillis = 10_000

const reconnect = Schedule.min([Schedule.exponential(firstPause), Schedule.spaced(longestPause)]).pipe(
  Schedule.jittered
)

export interface LinkSettings {
  readonly servers: Discovery.Servers
  readonly connection: ConnectionOptions
  /** The topic whose nsqd to find, or all nsqd. */
  readonly topic: TopicName | undefined
  /** Uses a connection until it is lost; fails with why. Its Scope ends with the connection. */
  readonly use: (
    connection: NsqdConnection.NsqdConnection
  ) => Effect.Effect<never, NsqdConnection.NsqdUnavailable, Scope.Scope>
  /** Told when a connection is lost, or is not made. */
  readonly onUnavailable?: (error: NsqdConnection.NsqdUnavailable) => void
}

/** Runs until its Scope closes. */
export const run = Effect.fnUntraced(function*(
  settings: LinkSettings
): Effect.fn.Return<void, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const { connection, servers, topic, use } = settings
  const discovery = yield* Discovery.make(servers, topic)
  const transport = yield* Transport
  const links = yield* FiberMap.make<string>()
  let named: ReadonlySet<string> = new Set()

  /** Connects to an address if the server that announced it may announce it. */
  const openNamed = Effect.fnUntraced(function*(address: string) {
    const origin = yield* discovery.originOf(address)
    const isNamed = origin !== "configured"
    return yield* NsqdConnection.open(address, connection, isNamed).pipe(
      Effect.provideService(Transport, NamedTransport.make(transport, discovery.networks, () => origin))
    )
  })

  /** Ends with the connection: well when it had held for a while, with an error to be retried otherwise. */
  const attempt = (address: string) => {
    const used = Effect.scoped(
      Effect.flatMap(
        openNamed(address),
        (opened) => Effect.andThen(Effect.logInfo(`(${address}) connected to nsqd`), use(opened))
      )
    )
    return Effect.flatMap(Effect.timed(Effect.flip(used)), ([held, error]) =>
      Effect.logWarning(error.message).pipe(
        Effect.andThen(Effect.sync(() => settings.onUnavailable?.(error))),
        Effect.andThen(discovery.hurry),
        Effect.andThen(Duration.toMillis(held) >= steadyMillis ? Effect.void : Effect.fail(error))
      ))
  }

  const isNamed = (address: string) => () => named.has(address)
  const keep = (address: string) =>
    attempt(address).pipe(
      Effect.retry({ schedule: reconnect, while: isNamed(address) }),
      Effect.ignore,
      Effect.repeat({ while: isNamed(address) })
    )

  yield* discovery.addresses.pipe(
    Stream.runForEach((addresses) =>
      Effect.suspend(() => {
        named = new Set(addresses)
        return Effect.forEach(addresses, (address) =>
          FiberMap.run(links, address, keep(address), { onlyIfMissing: true }), {
          discard: true
        })
      })
    ),
    Effect.forkScoped
  )
})
