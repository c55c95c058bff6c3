/**
 * UDP for statsd: sockets that only send, to one address. The live Layer is `NodeDatagrams`; `effect-nsq/testing` provides one
 * in memory. Delivery is not confirmed.
 */
import { Context, type Effect, Schema, type Scope } from "effect"

/**
 * Sending a datagram failed, or an earlier one was refused, for example because no process listens on the port.
 *
 * @since 0.1.0
 * @category errors
 */
export class DatagramError extends Schema.TaggedError<DatagramError>()("DatagramError", {
  /** The receiver, `host:port`. */
  address: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const { address, cause } = this
    return `udp ${address}: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

/** A socket with a fixed receiver. */
export interface DatagramSender {
  /** Sends the bytes as one datagram. Completes when the operating system has taken them. */
  readonly send: (bytes: Uint8Array) => Effect.Effect<void, DatagramError>
}

/**
 * Opens UDP sockets for sending.
 *
 * @since 0.1.0
 * @category services
 */
export class Datagrams extends Context.Service<Datagrams, {
  /** Resolves the host and opens a socket that sends to `host:port`; it closes with the Scope. */
  readonly connect: (address: string) => Effect.Effect<DatagramSender, DatagramError, Scope.Scope>
}>()("effect-nsq/metrics/Datagrams") {}
