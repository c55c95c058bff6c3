/**
 * How a client connects to nsqd and what it asks for: the options of NSQ's client libraries (section 2 of the client notes).
 */
import { Duration, type Redacted } from "effect"
import { hostname } from "node:os"

export interface TlsOptions {
  /** Certificates to trust, in PEM, instead of those of the system; an intermediate one or the server's own suffices. */
  readonly ca?: string | Buffer
  /** The client's own certificate and key in PEM. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** Accepts any certificate of the server. */
  readonly insecureSkipVerify?: boolean
  readonly minVersion?: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3"
}

export interface ConnectionOptions {
  /** Encrypts the connection; it fails where the server does not offer TLS. */
  readonly tls?: TlsOptions | boolean
  /** Compresses both directions. */
  readonly compression?: "deflate" | "snappy"
  /** From 1 to 9, 6 unless said otherwise. */
  readonly deflateLevel?: number
  /** Sent where the server requires authorisation, and nowhere else. */
  readonly authSecret?: Redacted.Redacted
  /** Sends the secret without TLS also to nsqd that discovery has named, which anybody may have registered. */
  readonly authWithoutTls?: boolean
  readonly dialTimeout?: Duration.Input
  /** Twice as long without a sign of the server and the connection counts as lost. */
  readonly heartbeatInterval?: Duration.Input
  /** How long the server may take over an answer during the handshake. */
  readonly handshakeTimeout?: Duration.Input
  readonly clientId?: string
  readonly hostname?: string
  readonly userAgent?: string
  /** Percent of a channel's messages to receive, 0 for all. */
  readonly sampleRate?: number
  /** How long this client may take over a message; the server's default unless said otherwise. */
  readonly msgTimeout?: Duration.Input
  readonly outputBufferSize?: number
  readonly outputBufferTimeout?: Duration.Input
  readonly topologyRegion?: string
  readonly topologyZone?: string
  /** The largest frame accepted from a server, in bytes. */
  readonly maxFrameSize?: number
}

export const dialTimeout = (options: ConnectionOptions): Duration.Duration =>
  Duration.fromInputUnsafe(options.dialTimeout ?? "1 second")

export const handshakeTimeout = (options: ConnectionOptions): Duration.Duration =>
  Duration.fromInputUnsafe(options.handshakeTimeout ?? "5 seconds")

export const heartbeatInterval = (options: ConnectionOptions): Duration.Duration =>
  Duration.fromInputUnsafe(options.heartbeatInterval ?? "30 seconds")

const millis = (duration: Duration.Input): number => Math.round(Duration.toMillis(Duration.fromInputUnsafe(duration)))

/** The body of IDENTIFY (section 1 of the client notes). */
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
    topology_zone: options.topologyZone ?? ""
  })
}
