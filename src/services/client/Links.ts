/**
 * Keeps a connection to every nsqd that discovery names: connects, reconnects with growing pauses when the connection is lost,
 * and gives up when the address is no longer named. The owner provides the use of a connection.
 */
import { Duration, Effect, FiberMap, Schedule, type Scope, Stream } from "effect"
import type { HttpClient } from "effect/http"
import type { TopicName } from "../../protocol/client/Names.ts"
import * as NamedTransport from "../net/NamedTransport.ts"
import { Transport } from "../net/Transport.ts"
import { ClientError, ClientErrorReason } from "./ClientError.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import * as Options from "./ConnectionOptions.ts"
import { Connections, ConnectionState, ServerReport } from "./Connections.ts"
import * as Discovery from "./Discovery.ts"
import * as NsqdConnection from "./NsqdConnection.ts"

const firstPause = "100 millis"
const longestPause = "10 seconds"
/** A connection that lasted at least this long does not count as a failed attempt. */
const steadyMillis = 10_000

const reconnect = Schedule.min([Schedule.exponential(firstPause), Schedule.spaced(longestPause)]).pipe(
  Schedule.jittered
)

/** What the use of a connection reports. */
export interface Progress {
  /** The connection can do its work: from now on it counts as connected. */
  readonly connected: () => void
  /** The server has done its work, so that the loss of the connection does not count as a failed attempt. */
  readonly served: () => void
}

export interface LinkSettings {
  readonly servers: Discovery.Servers
  readonly connection: ConnectionOptions
  /** The topic whose nsqd to find; `undefined` for all nsqd. */
  readonly topic: TopicName | undefined
  /** Uses a connection until it is lost, and fails with the reason. Its Scope closes with the connection. */
  readonly use: (
    connection: NsqdConnection.NsqdConnection,
    progress: Progress
  ) => Effect.Effect<never, ClientError, Scope.Scope>
  /** Where the states of the connections are kept. Default: new ones. */
  readonly connections?: Connections
  /** Called when a connection is lost or cannot be made. */
  readonly onUnavailable?: (address: string, error: ClientError) => void
}

/** Keeps the connections until the Scope closes. Returns their states. */
export const run = Effect.fnUntraced(function*(
  settings: LinkSettings
): Effect.fn.Return<Connections, never, Transport | HttpClient.HttpClient | Scope.Scope> {
  const { connection, servers, topic, use } = settings
  const { connections = new Connections() } = settings
  // An option that is not valid is a defect here, and not of the fibers that connect.
  yield* Effect.sync(
    () => [Options.dialTimeout(connection), Options.handshakeTimeout(connection), Options.identify(connection)]
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => connections.close()))
  const discovery = yield* Discovery.make(servers, topic, connections.lookedUp)
  const transport = yield* Transport
  const links = yield* FiberMap.make<string>()
  let named: ReadonlySet<string> = new Set()

  /** Connects to an address, if discovery may name it. */
  const openNamed = Effect.fnUntraced(function*(address: string) {
    connections.set(ConnectionState.Connecting({ address }))
    const origin = yield* discovery.originOf(address)
    const isNamed = origin !== "configured"
    return yield* NsqdConnection.open(address, connection, isNamed).pipe(
      Effect.provideService(Transport, NamedTransport.make(transport, discovery.networks, () => origin))
    )
  })

  /** Uses one connection. Succeeds if it served, or lasted a while; otherwise fails, so that the next attempt waits longer. */
  const attempt = (address: string) =>
    Effect.suspend(() => {
      let hasServed = false
      const used = Effect.scoped(
        Effect.flatMap(openNamed(address), (opened) => {
          const using = use(opened, {
            connected: () => connections.set(ConnectionState.Connected({ address })),
            served: () => void (hasServed = true)
          })
          return Effect.andThen(Effect.logInfo(`(${address}) connected to nsqd`), using)
        })
      ).pipe(Effect.catchDefect((defect) => {
        // A defect ends one connection, and not the fiber that makes it again.
        const reason = ClientErrorReason.ConnectionLoss({ address, description: "a defect ended the connection" })
        return Effect.andThen(
          Effect.logError(`(${address}) a defect ended the connection`, defect),
          Effect.fail(new ClientError({ reason }))
        )
      }))
      return Effect.flatMap(Effect.timed(Effect.flip(used)), ([held, error]) =>
        Effect.logWarning(error.message).pipe(
          Effect.provideService(ServerReport, { address, isAway: true }),
          Effect.andThen(Effect.sync(() => {
            connections.set(ConnectionState.Disconnected({ address, error }))
            settings.onUnavailable?.(address, error)
          })),
          Effect.andThen(discovery.hurry),
          Effect.andThen(hasServed || Duration.toMillis(held) >= steadyMillis ? Effect.void : Effect.fail(error))
        ))
    })

  const isNamed = (address: string) => () => named.has(address)
  const keep = (address: string) =>
    attempt(address).pipe(
      Effect.retry({ schedule: reconnect, while: isNamed(address) }),
      Effect.ignore,
      Effect.repeat({ while: isNamed(address) }),
      Effect.andThen(Effect.sync(() => connections.set(ConnectionState.Removed({ address }))))
    )

  yield* discovery.addresses.pipe(
    Stream.runForEach((addresses) =>
      Effect.suspend(() => {
        named = new Set(addresses)
        connections.discovered(addresses)
        return Effect.forEach(addresses, (address) =>
          FiberMap.run(links, address, keep(address), { onlyIfMissing: true }), {
          discard: true
        })
      })
    ),
    Effect.forkScoped
  )
  return connections
})
