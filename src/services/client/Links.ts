/**
 * Keeps a connection to every nsqd that discovery names: connects, reconnects with growing pauses when the connection is lost,
 * and gives up when the address is no longer named. The owner provides the use of a connection.
 */
import { Duration, Effect, FiberMap, Schedule, type Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import type { TopicName } from "../../protocol/client/Names.ts"
import * as NamedTransport from "../net/NamedTransport.ts"
import { Transport } from "../net/Transport.ts"
import type { ClientError } from "./ClientError.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import * as Discovery from "./Discovery.ts"
import * as NsqdConnection from "./NsqdConnection.ts"

const firstPause = "100 millis"
const longestPause = "10 seconds"
/** A connection that lasted at least this long does not count as a failed attempt. */
const steadyMillis = 10_000

const reconnect = Schedule.min([Schedule.exponential(firstPause), Schedule.spaced(longestPause)]).pipe(
  Schedule.jittered
)

export interface LinkSettings {
  readonly servers: Discovery.Servers
  readonly connection: ConnectionOptions
  /** The topic whose nsqd to find; `undefined` for all nsqd. */
  readonly topic: TopicName | undefined
  /** Uses a connection until it is lost, and fails with the reason. Its Scope closes with the connection. */
  readonly use: (
    connection: NsqdConnection.NsqdConnection
  ) => Effect.Effect<never, ClientError, Scope.Scope>
  /** Called when a connection is lost or cannot be made. */
  readonly onUnavailable?: (address: string, error: ClientError) => void
}

/** Keeps the connections until the Scope closes. */
export const run = Effect.fnUntraced(function*(
  settings: LinkSettings
): Effect.fn.Return<void, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const { connection, servers, topic, use } = settings
  const discovery = yield* Discovery.make(servers, topic)
  const transport = yield* Transport
  const links = yield* FiberMap.make<string>()
  let named: ReadonlySet<string> = new Set()

  /** Connects to an address, if discovery may name it. */
  const openNamed = Effect.fnUntraced(function*(address: string) {
    const origin = yield* discovery.originOf(address)
    const isNamed = origin !== "configured"
    return yield* NsqdConnection.open(address, connection, isNamed).pipe(
      Effect.provideService(Transport, NamedTransport.make(transport, discovery.networks, () => origin))
    )
  })

  /** Uses one connection. Succeeds if it lasted a while; otherwise fails, so that the next attempt waits longer. */
  const attempt = (address: string) => {
    const used = Effect.scoped(
      Effect.flatMap(
        openNamed(address),
        (opened) => Effect.andThen(Effect.logInfo(`(${address}) connected to nsqd`), use(opened))
      )
    )
    return Effect.flatMap(Effect.timed(Effect.flip(used)), ([held, error]) =>
      Effect.logWarning(error.message).pipe(
        Effect.andThen(Effect.sync(() => settings.onUnavailable?.(address, error))),
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
