/**
 * The upgrade of a plain connection to TLS: one side of the handshake, its failure, and its result.
 */
import { type Effect, Schema } from "effect"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"

/** A TLS handshake failed. The reason is the text of Go's TLS if Go has the same error. */
export class HandshakeFailed extends Schema.TaggedError<HandshakeFailed>()("HandshakeFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

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
   * failure the socket can still be written to.
   */
  readonly handshake: (socket: Socket) => Effect.Effect<TLSSocket, HandshakeFailed>
  /** The reason why the policy for client certificates refuses the peer; `undefined` if it accepts it. */
  readonly refusal: (secure: TLSSocket) => string | undefined
}
