/**
 * UDP for statsd: sockets that only send, to one address. The live Layer is `NodeDatagrams`; `effect-nsq/testing` provides one
 * in memory. Delivery is not confirmed.
 */
import { Context, type Effect, type Scope } from "effect"
import type { NetError } from "./NetError.ts"

/** A socket with a fixed receiver. */
export interface DatagramSender {
  /**
   * Sends the bytes as one datagram. Completes when the operating system has taken them. Fails with the reason
   * `DatagramFailure`, also if an earlier datagram was refused.
   */
  readonly send: (bytes: Uint8Array) => Effect.Effect<void, NetError>
}

/**
 * Opens UDP sockets for sending.
 *
 * @since 0.1.0
 * @category services
 */
export class Datagrams extends Context.Service<Datagrams, {
  /** Resolves the host and opens a socket that sends to `host:port`; it closes with the Scope. Fails like `send`. */
  readonly connect: (address: string) => Effect.Effect<DatagramSender, NetError, Scope.Scope>
}>()("effect-nsq/metrics/Datagrams") {}
