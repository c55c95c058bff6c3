/**
 * The upgrade of a plain connection to TLS: one side of the handshake, and its result.
 */
import type { Effect } from "effect"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import type { NetError } from "./NetError.ts"

/** The properties of a TLS connection that statistics and authorisation use. */
export interface TlsDetails {
  /** `TLS1.0` to `TLS1.3`. */
  readonly version: string
  /** In NSQ's form: the name of a suite that NSQ has a name for, otherwise `Unknown <number>`. */
  readonly cipherSuite: string
  /** The common name in the subject of the client's certificate; empty without one. */
  readonly commonName: string
}

/** One side of the TLS handshake on a plain connection. */
export interface TlsHandshake {
  /**
   * Completes the handshake on a socket without other readers; bytes that were read too early have been unshifted. After a
   * failure, whose reason is `HandshakeFailure`, the socket can still be written to.
   */
  readonly handshake: (socket: Socket) => Effect.Effect<TLSSocket, NetError>
  /** The reason why the policy for client certificates refuses the peer; `undefined` if it accepts it. */
  readonly refusal: (secure: TLSSocket) => string | undefined
}
