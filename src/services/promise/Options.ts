/** The options that producers and consumers of `effect-nsq/promise` share. All durations are in milliseconds. */
import type { TlsOptions } from "../client/TlsOptions.ts"

/**
 * The nsqd to connect to, or the nsqlookupd that know them, as `host:port`.
 *
 * @since 0.2.0
 * @category models
 */
export type Servers =
  | { readonly nsqd: ReadonlyArray<string> }
  | {
    /** `host:port` or `http(s)://host:port`. */
    readonly lookupd: ReadonlyArray<string>
    /** Time between two polls, in ms. Default: 60,000. */
    readonly pollInterval?: number
    /** Random part of the interval by which the second poll is delayed, from 0 to 1. Default: 0.3. */
    readonly pollJitter?: number
    /**
     * Networks that the addresses from nsqlookupd must be in, in CIDR notation. Default: all addresses except link-local,
     * multicast and unspecified ones, and loopback unless the nsqlookupd is on loopback itself.
     */
    readonly allowedNetworks?: ReadonlyArray<string>
  }

/**
 * How a client connects to nsqd, and what it negotiates.
 *
 * @since 0.2.0
 * @category models
 */
export interface ConnectionOptions {
  /** Encrypts the connection; connecting fails if the server does not offer TLS. Default: false. */
  readonly tls?: TlsOptions | boolean
  /** Compresses both directions. Default: no compression. */
  readonly compression?: "deflate" | "snappy"
  /** Compression level of deflate, from 1 to 9. Default: 6. */
  readonly deflateLevel?: number
  /** Secret for AUTH; sent only to servers that require authorisation. Default: none. */
  readonly authSecret?: string
  /** Sends the secret without TLS also to addresses from nsqlookupd. Default: false. */
  readonly authWithoutTls?: boolean
  /** Limit for connecting, in ms. Default: 1,000. */
  readonly dialTimeout?: number
  /** Interval of the server's heartbeats, in ms; a connection is lost after twice this time without a frame. Default: 30,000. */
  readonly heartbeatInterval?: number
  /** Limit for the whole handshake, in ms. Default: 5,000. */
  readonly handshakeTimeout?: number
  /** Name of the client in statistics. Default: the host name up to the first dot. */
  readonly clientId?: string
  /** Host name in statistics. Default: that of the system. */
  readonly hostname?: string
  /** Name of the program in statistics. Default: `effect-nsq`. */
  readonly userAgent?: string
  /** Percentage of the channel's messages to receive, from 1 to 99. Default: 0, all messages. */
  readonly sampleRate?: number
  /** Time in ms after which the server redelivers a message that is not acknowledged. Default: 0, the server's default. */
  readonly msgTimeout?: number
  /** Size of the server's output buffer in bytes. Default: 16,384. */
  readonly outputBufferSize?: number
  /** Longest time that the server buffers output, in ms. Default: 250. */
  readonly outputBufferTimeout?: number
  /** Region for topology-aware consumption. Default: empty. */
  readonly topologyRegion?: string
  /** Zone for topology-aware consumption. Default: empty. */
  readonly topologyZone?: string
  /** Limit for a frame from the server, in bytes; a larger one ends the connection. Default: 64 MiB. */
  readonly maxFrameSize?: number
}

/**
 * One line of a client's log.
 *
 * @since 0.2.0
 * @category models
 */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error"
  readonly message: string
}

/**
 * Options of every client.
 *
 * @since 0.2.0
 * @category models
 */
export interface ClientOptions {
  readonly servers: Servers
  /** Default: the defaults of `ConnectionOptions`. */
  readonly connection?: ConnectionOptions
  /** Receives the lines of the client's log, such as lost connections. Default: none are written. */
  readonly log?: (line: LogLine) => void
}

/**
 * Cancels an operation. It rejects with the reason of the signal.
 *
 * @since 0.2.0
 * @category models
 */
export interface Cancellable {
  /** Default: the operation is not cancelled. */
  readonly signal?: AbortSignal
}
