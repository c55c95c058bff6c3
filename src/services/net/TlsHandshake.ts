/**
 * TLS on a connection that was plain before: one side of the handshake, its failure, and what it has negotiated.
 */
import { type Effect, Schema } from "effect"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"

/** A TLS handshake failed. The reason has the words of Go's TLS where the cause is the same. */
export class HandshakeFailed extends Schema.TaggedError<HandshakeFailed>()("HandshakeFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** What is said of a connection that came about. */
export interface TlsDetails {
  /** `TLS1.0` to `TLS1.3`. */
  readonly version: string
  /** As NSQ shows it: the name of the suites it has names for, `Unknown <number>` for others. */
  readonly cipherSuite: string
  /** From the subject of the client's certificate; empty when there is none. */
  readonly commonName: string
}

/** One side of a TLS connection that begins on a connection that was plain. */
export interface TlsHandshake {
  /**
   * Completes the handshake on a socket that nobody else reads from; what was read too early has been unshifted. When it
   * fails, something can still be written to the socket before the failure is passed on.
   */
  readonly handshake: (socket: Socket) => Effect.Effect<TLSSocket, HandshakeFailed>
  /** Why the policy for client certificates does not allow a peer to go on; `undefined` when it does. */
  readonly refusal: (secure: TLSSocket) => string | undefined
}
