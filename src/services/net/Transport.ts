/**
 * The network as the broker sees it: listeners that hand out connections, and connections that carry bytes both ways. The
 * live Layer is `NodeTransport`; `effect-nsq/testing` has one in memory.
 */
import { Context, Effect, Schema, type Scope } from "effect"
import type { HandshakeFailed, TlsDetails, TlsHandshake } from "./TlsHandshake.ts"

/** An address cannot be listened on. */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
  address: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const { cause } = this
    return `listen (${this.address}) failed - ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

/** An address cannot be connected to. */
export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
  address: Schema.String,
  /** In the operating system's words. */
  reason: Schema.String
}) {
  override get message(): string {
    return `dial ${this.address}: ${this.reason}`
  }
}

/** The peer or the network ended a connection in the middle. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** A connection that goes on inside TLS. */
export interface SecureConnection {
  readonly connection: Connection
  readonly details: TlsDetails
  /** Why the policy for client certificates does not allow it to be used; the peer can be told. */
  readonly refusal: string | undefined
}

/**
 * A connection. It lives in the Scope its handler runs in: when that closes, what has been written still goes out, as far as
 * the peer takes it within a moment, and the peer sees the end.
 */
export interface Connection {
  /** `host:port` of the peer, `@` for a unix socket. */
  readonly remoteAddress: string
  /** The next bytes, at least one; `undefined` once the peer has finished sending. One reader at a time. */
  readonly read: Effect.Effect<Buffer | undefined, ConnectionLost>
  /**
   * Reads as `read` does, and gives bytes to `take` as they arrive, for as long as it returns true; no fiber runs meanwhile.
   * Completes with true once it returned false, with false when the peer has finished sending. Absent where there is no
   * faster way than `read`: use `readEach`.
   */
  readonly readEach?: (take: (bytes: Buffer) => boolean) => Effect.Effect<boolean, ConnectionLost>
  /** Sends bytes, without waiting. True when they are on their way, so that the memory may be used again. */
  readonly write: (bytes: Uint8Array) => boolean
  /** Several writes between `cork` and `uncork` go out together. */
  readonly cork: () => void
  readonly uncork: () => void
  /** Bytes written and not yet taken by the network. */
  readonly pendingBytes: () => number
  /** Bytes that the network has taken since the connection began: it grows as long as the peer reads, however slowly. */
  readonly takenBytes: () => number
  /** Completes when nothing is pending, or the connection is gone. */
  readonly drained: Effect.Effect<void>
  /** Whether bytes have arrived that are still being decoded for `read`. Absent where that takes no time. */
  readonly isDecoding?: () => boolean
  /**
   * Goes on inside TLS, on the side that `tls` plays: what has been written is plain, what is read from now on is not, and
   * only the new connection may be used. When it fails the connection may still be written to, until it ends. Absent where there is no TLS.
   */
  readonly startTls?: (tls: TlsHandshake) => Effect.Effect<SecureConnection, HandshakeFailed, Scope.Scope>
}

/** What is being listened on. */
export interface Listener {
  /** As actually bound, with the real port: `127.0.0.1:4150`; the path of a unix socket. */
  readonly address: string
  /** The bound TCP port, -1 for a unix socket. */
  readonly port: number
  /** Fails when nothing can be accepted any more. */
  readonly broken: Effect.Effect<never, ListenError>
}

export class Transport extends Context.Service<Transport, {
  /**
   * Listens on `host:port`, or on a unix socket where `address` is not that, and runs `handle` for every connection in a fiber
   * and Scope of its own. When the Scope closes: first no more connections are accepted, then those that are open end.
   */
  readonly listen: <R>(
    address: string,
    handle: (connection: Connection) => Effect.Effect<void, never, R | Scope.Scope>
  ) => Effect.Effect<Listener, ListenError, Exclude<R, Scope.Scope> | Scope.Scope>
  /** Connects to `host:port`, or to a unix socket. The connection ends, in order, when the Scope closes. */
  readonly connect: (address: string) => Effect.Effect<Connection, ConnectError, Scope.Scope>
}>()("effect-nsq/transport/Transport") {}

/** `Connection.readEach`, for every connection. */
export const readEach = (
  connection: Connection,
  take: (bytes: Buffer) => boolean
): Effect.Effect<boolean, ConnectionLost> => {
  if (connection.readEach !== undefined) return connection.readEach(take)
  const next: Effect.Effect<boolean, ConnectionLost> = Effect.flatMap(connection.read, (bytes) => {
    if (bytes === undefined) return Effect.succeed(false)
    return take(bytes) ? next : Effect.succeed(true)
  })
  return next
}

/** `host` and `port` of an address; `undefined` when it is the path of a unix socket. */
export const splitAddress = (address: string): { readonly host: string; readonly port: number } | undefined => {
  const match = /^(?:\[([^\]]*)\]|([^:/]*)):(\d{1,5})$/.exec(address)
  return match === null ? undefined : { host: match[1] ?? match[2] ?? "", port: Number(match[3]) }
}

export const joinAddress = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** A peer's address as the log and the statistics show it; `@` where it has none, as on a unix socket. */
export const peerAddress = (host: string | undefined, port: number | undefined): string =>
  host === undefined ? "@" : joinAddress(host.replace(/^::ffff:/, ""), port ?? 0)
