/**
 * UDP as statsd needs it: sockets that only send, to one address. The live Layer is `NodeDatagrams`; `effect-nsq/testing`
 * has one in memory. Nothing here waits for an answer, and nobody learns whether a datagram arrived.
 */
import { Context, type Effect, Schema, type Scope } from "effect"

/** A datagram could not be handed to the network; or an earlier one came back, as from a port where nobody listens. */
export class DatagramError extends Schema.TaggedError<DatagramError>()("DatagramError", {
  /** Whom it was for. */
  address: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const { address, cause } = this
    return `udp ${address}: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

/** A socket bound to its receiver. */
export interface DatagramSender {
  /** Completes when the operating system has taken the bytes, which go out as one datagram. */
  readonly send: (bytes: Uint8Array) => Effect.Effect<void, DatagramError>
}

export class Datagrams extends Context.Service<Datagrams, {
  /** A socket that sends to `host:port`, closed with the Scope. The host is looked up now. */
  readonly connect: (address: string) => Effect.Effect<DatagramSender, DatagramError, Scope.Scope>
}>()("effect-nsq/metrics/Datagrams") {}
