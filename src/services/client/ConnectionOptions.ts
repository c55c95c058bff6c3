/**
 * How a client connects to nsqd, and what it negotiates: the options of NSQ's client libraries
 * (docs/protocol/library.md#connection-options).
 */
import { Duration, type Redacted } from "effect"
import { hostname } from "node:os"
import type { TlsOptions } from "./TlsOptions.ts"

/**
 * Options of a client's connection to nsqd.
 *
 * @since 0.1.0
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
  readonly authSecret?: Redacted.Redacted
  /**
   * Sends the secret without TLS also to addresses from nsqlookupd, although any client may have registered them. Default:
   * false.
   */
  readonly authWithoutTls?: boolean
  /** Limit for connecting. Default: 1 s. */
  readonly dialTimeout?: Duration.Input
  /** Interval of the server's heartbeats; the connection is lost after twice this time without a frame. Default: 30 s. */
  readonly heartbeatInterval?: Duration.Input
  /** Limit for the whole handshake. Default: 5 s. */
  readonly handshakeTimeout?: Duration.Input
  /** Name of the client in statistics. Default: the host name up to the first dot. */
  readonly clientId?: string
  /** Host name in statistics. Default: that of the system. */
  readonly hostname?: string
  /** Name of the program in statistics. Default: `effect-nsq`. */
  readonly userAgent?: string
  /** Percentage of the channel's messages to receive, from 1 to 99. Default: 0, all messages. */
  readonly sampleRate?: number
  /** Time after which the server redelivers a message that is not acknowledged. Default: 0, the server's default. */
  readonly msgTimeout?: Duration.Input
  /** Size of the server's output buffer in bytes. Default: 16,384. */
  readonly outputBufferSize?: number
  /** Longest time that the server buffers output. Default: 250 ms. */
  readonly outputBufferTimeout?: Duration.Input
  /** Region for topology-aware consumption. Default: empty. */
  readonly topologyRegion?: string
  /** Zone for topology-aware consumption. Default: empty. */
  readonly topologyZone?: string
  /** Limit for a frame from the server, in bytes; a larger one ends the connection. Default: 64 MiB. */
  readonly maxFrameSize?: number
}

/** Limit for connecting. */
export const dialTimeout = (options: ConnectionOptions): Duration.Duration =>
  Duration.fromInputUnsafe(options.dialTimeout ?? "1 second")

/** Limit for the whole handshake. */
export const handshakeTimeout = (options: ConnectionOptions): Duration.Duration =>
  Duration.fromInputUnsafe(options.handshakeTimeout ?? "5 seconds")

/** Interval of the server's heartbeats. */
export const heartbeatInterval = (options: ConnectionOptions): Duration.Duration =>
  Duration.fromInputUnsafe(options.heartbeatInterval ?? "30 seconds")

const millis = (duration: Duration.Input): number => Math.round(Duration.toMillis(Duration.fromInputUnsafe(duration)))

/** Returns the body of IDENTIFY (docs/protocol/library.md#handshake). */
export const identify = (options: ConnectionOptions): string => {
  const host = options.hostname ?? hostname()
  const clientId = options.clientId ?? host.split(".")[0] ?? host
  return JSON.stringify({
    client_id: clientId,
    hostname: host,
    user_agent: options.userAgent ?? "effect-nsq",
    short_id: clientId,
    long_id: host,
    feature_negotiation: true,
    tls_v1: options.tls !== undefined && options.tls !== false,
    deflate: options.compression === "deflate",
    deflate_level: options.deflateLevel ?? 6,
    snappy: options.compression === "snappy",
    heartbeat_interval: millis(heartbeatInterval(options)),
    sample_rate: options.sampleRate ?? 0,
    msg_timeout: millis(options.msgTimeout ?? 0),
    output_buffer_size: options.outputBufferSize ?? 16_384,
    output_buffer_timeout: millis(options.outputBufferTimeout ?? 250),
    topology_region: options.topologyRegion ?? "",
    topology_zone: options.topologyZone ?? "",
    headers: true,
    reject: true
  })
}
