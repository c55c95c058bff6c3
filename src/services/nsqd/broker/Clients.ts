/**
 * Who is connected, for statistics and for closing everybody at shutdown. What a client says of itself is asked for when
 * somebody looks; nothing is kept up to date per message.
 */
import { Context, Effect, Layer, type Scope } from "effect"

/** NSQ's numbers for the state of a connection. */
export const ClientState = { init: 0, subscribed: 3, closing: 4 } as const
export type ClientState = (typeof ClientState)[keyof typeof ClientState]

/** Encryption as `/stats` shows it. */
export interface ClientTls {
  /** `TLS1.0` to `TLS1.3`. */
  readonly version: string
  readonly cipherSuite: string
}

/** Who an auth server says a client is. */
export interface ClientIdentity {
  readonly identity: string
  readonly identityUrl: string
}

/** A connection as `/stats` shows it. */
export interface ClientStats {
  readonly clientId: string
  readonly hostname: string
  readonly userAgent: string
  /** `V2` for connections. */
  readonly version: string
  /** `host:port` of the peer. */
  readonly remoteAddress: string
  readonly state: ClientState
  readonly readyCount: number
  readonly inFlightCount: number
  readonly messageCount: number
  readonly finishCount: number
  readonly requeueCount: number
  /** Unix seconds. */
  readonly connectTime: number
  readonly sampleRate: number
  readonly deflate: boolean
  readonly snappy: boolean
  /** How the connection is encrypted; `undefined` when it is not. */
  readonly tls: ClientTls | undefined
  /** Who the client is; `undefined` before AUTH. */
  readonly identity: ClientIdentity | undefined
  readonly topologyZone: string
  readonly topologyRegion: string
  /** Messages published, by topic. */
  readonly published: ReadonlyMap<string, number>
  /** Bytes that have arrived of a command that is not complete. */
  readonly unfinishedBytes: number
}

export interface Client {
  readonly stats: () => ClientStats
}

export class Clients extends Context.Service<Clients, {
  readonly all: () => Iterable<Client>
  /** The client that a channel knows as its consumer: a connection is both. Undefined once it is gone. */
  readonly find: (consumer: unknown) => Client | undefined
  /** Counts the client as connected until the Scope closes. */
  readonly add: (client: Client) => Effect.Effect<void, never, Scope.Scope>
}>()("effect-nsq/broker/Clients") {
  static readonly layer = Layer.sync(Clients, () => {
    const clients = new Map<unknown, Client>()
    return {
      all: () => clients.values(),
      find: (consumer) => clients.get(consumer),
      add: (client) =>
        Effect.acquireRelease(
          Effect.sync(() => void clients.set(client, client)),
          () => Effect.sync(() => void clients.delete(client))
        )
    }
  })
}
