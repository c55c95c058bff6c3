/**
 * The connected clients, for statistics. A client's statistics are read on request; nothing is updated per message.
 */
import { Context, Effect, Layer, type Scope } from "effect"

/** NSQ's numbers for the states of a connection. */
export const ClientState = { init: 0, subscribed: 3, closing: 4 } as const
export type ClientState = (typeof ClientState)[keyof typeof ClientState]

/** The TLS session as `/stats` shows it. */
export interface ClientTls {
  /** From `TLS1.0` to `TLS1.3`. */
  readonly version: string
  readonly cipherSuite: string
}

/** The client's identity according to the auth server. */
export interface ClientIdentity {
  readonly identity: string
  readonly identityUrl: string
}

/**
 * A connection as `/stats` shows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientStats {
  readonly clientId: string
  readonly hostname: string
  readonly userAgent: string
  /** `V2` for connections. */
  readonly version: string
  /** The peer's `host:port`. */
  readonly remoteAddress: string
  readonly state: ClientState
  readonly readyCount: number
  readonly inFlightCount: number
  readonly messageCount: number
  readonly finishCount: number
  readonly requeueCount: number
  /** In Unix seconds. */
  readonly connectTime: number
  readonly sampleRate: number
  readonly deflate: boolean
  readonly snappy: boolean
  /** The TLS session; `undefined` without TLS. */
  readonly tls: ClientTls | undefined
  /** The identity; `undefined` before AUTH. */
  readonly identity: ClientIdentity | undefined
  readonly topologyZone: string
  readonly topologyRegion: string
  /** Published messages by topic. */
  readonly published: ReadonlyMap<string, number>
  /** Buffered bytes of an incomplete command. */
  readonly unfinishedBytes: number
}

/**
 * What a connection has negotiated besides what `/stats` shows; the defaults before IDENTIFY.
 *
 * @since 0.2.0
 * @category models
 */
export interface ClientSettings {
  /** In ms; 0 without heartbeats. */
  readonly heartbeatInterval: number
  /** In ms. */
  readonly msgTimeout: number
  /** In bytes. */
  readonly outputBufferSize: number
  /** In ms. */
  readonly outputBufferTimeout: number
  /** 0 without deflate. */
  readonly deflateLevel: number
}

/**
 * A connected client.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  readonly stats: () => ClientStats
  /** @since 0.2.0 */
  readonly settings: () => ClientSettings
  /**
   * Ends the connection as soon as the running code is done; its messages in flight return to their channel.
   *
   * @since 0.2.0
   */
  readonly close: () => void
}

/**
 * The connected clients.
 *
 * @since 0.1.0
 * @category services
 */
export class Clients extends Context.Service<Clients, {
  readonly all: () => Iterable<Client>
  /** The number of connected clients. */
  readonly size: () => number
  /** The client of a channel's consumer (a connection is both); `undefined` after it has disconnected. */
  readonly find: (consumer: unknown) => Client | undefined
  /** Registers the client as connected until the Scope closes. */
  readonly add: (client: Client) => Effect.Effect<void, never, Scope.Scope>
}>()("effect-nsq/broker/Clients") {
  static readonly layer = Layer.sync(Clients, () => {
    const clients = new Map<unknown, Client>()
    return {
      all: () => clients.values(),
      size: () => clients.size,
      find: (consumer) => clients.get(consumer),
      add: (client) =>
        Effect.uninterruptible(Effect.suspend(() => {
          clients.set(client, client)
          return Effect.addFinalizer(() => Effect.sync(() => void clients.delete(client)))
        }))
    }
  })
}
