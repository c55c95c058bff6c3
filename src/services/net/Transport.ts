/**
 * The network as the broker uses it: listeners that accept connections, and connections that carry bytes in both directions.
 * The live Layer is `NodeTransport`; `effect-nsq/testing` provides one in memory.
 */
import { Context, Effect, type Scope } from "effect"
import type { NetError } from "./NetError.ts"
import type { TlsDetails, TlsHandshake } from "./TlsHandshake.ts"

/** A connection after its upgrade to TLS. */
export interface SecureConnection {
  readonly connection: Connection
  readonly details: TlsDetails
  /** The reason why the policy for client certificates refuses the peer; it can still be sent to the peer. */
  readonly refusal: string | undefined
}

/**
 * A connection. It lives in the Scope of its handler: when the Scope closes, pending output is still sent, if the peer receives
 * it within a second, and then the connection ends. Its functions have to be called on it: `connection.write(bytes)`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Connection {
  /** `host:port` of the peer, `@` for a unix socket. */
  readonly remoteAddress: string
  /**
   * Returns the next bytes, at least one; `undefined` after the peer has finished sending. Only one reader at a time. Fails with
   * the reason `ConnectionLoss`.
   */
  readonly read: Effect.Effect<Buffer | undefined, NetError>
  /**
   * Reads like `read`, and passes bytes to `take` as they arrive, as long as it returns true; no fiber runs in between. The memory
   * of the bytes may be reused after `take` has returned. Completes with true after `take` returned false, with false when the peer has finished sending. Absent if the connection
   * has no faster way than `read`: use the function `readEach`.
   */
  readonly readEach?: (take: (bytes: Buffer) => boolean) => Effect.Effect<boolean, NetError>
  /** Sends bytes, without waiting. Returns true if the caller may reuse their memory. */
  readonly write: (bytes: Uint8Array) => boolean
  /** Writes between `cork` and `uncork` are sent together. */
  readonly cork: () => void
  readonly uncork: () => void
  /** Bytes that are written and not yet taken by the network. */
  readonly pendingBytes: () => number
  /** Bytes that the network has taken since the connection began: it grows while the peer reads, even slowly. */
  readonly takenBytes: () => number
  /** Completes when no output is pending, or the connection is closed. */
  readonly drained: Effect.Effect<void>
  /** Whether bytes that have arrived are still being decoded for `read`. Absent if decoding is synchronous. */
  readonly isDecoding?: () => boolean
  /**
   * Upgrades the connection to TLS, as the side that `tls` implements: earlier output is plain, all further input is encrypted,
   * and only the new connection may be used. After a failure the connection may still be written to, until it ends. Absent if
   * the connection does not support TLS. Fails with the reason `HandshakeFailure`.
   */
  readonly startTls?: (tls: TlsHandshake) => Effect.Effect<SecureConnection, NetError, Scope.Scope>
}

/** An open listener. */
export interface Listener {
  /** The bound address with the actual port, `127.0.0.1:4150`; the path of a unix socket. */
  readonly address: string
  /** The bound TCP port, -1 for a unix socket. */
  readonly port: number
  /** Fails with the reason `ListenFailure` when the listener cannot accept connections any more. */
  readonly broken: Effect.Effect<never, NetError>
}

/**
 * Listens for and opens connections.
 *
 * @since 0.1.0
 * @category services
 */
export class Transport extends Context.Service<Transport, {
  /**
   * Listens on `host:port`, or on the unix socket at the path `address`, and runs `handle` for every connection in its own fiber
   * and Scope. When the outer Scope closes, the listener stops accepting, and then the open connections end. Fails with the
   * reason `ListenFailure`.
   */
  readonly listen: <R>(
    address: string,
    handle: (connection: Connection) => Effect.Effect<void, never, R | Scope.Scope>
  ) => Effect.Effect<Listener, NetError, Exclude<R, Scope.Scope> | Scope.Scope>
  /**
   * Connects to `host:port`, or to a unix socket. The connection ends gracefully when the Scope closes. Fails with the reason
   * `ConnectFailure`.
   */
  readonly connect: (address: string) => Effect.Effect<Connection, NetError, Scope.Scope>
}>()("effect-nsq/transport/Transport") {}

/** `Connection.readEach` for any connection; uses `read` if it is absent. */
export const readEach = (
  connection: Connection,
  take: (bytes: Buffer) => boolean
): Effect.Effect<boolean, NetError> => {
  if (connection.readEach !== undefined) return connection.readEach(take)
  const next: Effect.Effect<boolean, NetError> = Effect.flatMap(connection.read, (bytes) => {
    if (bytes === undefined) return Effect.succeed(false)
    return take(bytes) ? next : Effect.succeed(true)
  })
  return next
}

/** Returns the connection with another way to read. */
export const readingWith = (read: Connection["read"], connection: Connection): Connection => ({
  remoteAddress: connection.remoteAddress,
  read,
  write: (bytes) => connection.write(bytes),
  cork: () => connection.cork(),
  uncork: () => connection.uncork(),
  pendingBytes: () => connection.pendingBytes(),
  takenBytes: () => connection.takenBytes(),
  drained: Effect.suspend(() => connection.drained),
  isDecoding: () => connection.isDecoding?.() === true,
  ...connection.startTls !== undefined && { startTls: (tls) => connection.startTls!(tls) }
})

/** Splits an address into host and port; returns `undefined` for the path of a unix socket. */
export const splitAddress = (address: string): { readonly host: string; readonly port: number } | undefined => {
  const match = /^(?:\[([^\]]*)\]|([^:/]*)):(\d{1,5})$/.exec(address)
  return match === null ? undefined : { host: match[1] ?? match[2] ?? "", port: Number(match[3]) }
}

/** Returns `host:port`, with brackets around an IPv6 address. */
export const joinAddress = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`

/** Returns the address of a peer for logs and statistics; `@` if it has none, as on a unix socket. */
export const peerAddress = (host: string | undefined, port: number | undefined): string =>
  host === undefined ? "@" : joinAddress(host.replace(/^::ffff:/, ""), port ?? 0)
