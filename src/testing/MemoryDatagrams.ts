/**
 * UDP in memory, for tests of statsd: every datagram arrives, in order.
 */
import { Context, Effect, Layer, Queue } from "effect"
import { Datagrams } from "../services/net/Datagrams.ts"
import { datagramFailure } from "../services/net/NetError.ts"

/**
 * A datagram that was sent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Datagram {
  /** The destination, `host:port`. */
  readonly address: string
  readonly text: string
}

/**
 * The receiver of everything sent by `Datagrams`.
 *
 * @since 0.1.0
 * @category services
 */
export class ReceivedDatagrams extends Context.Service<ReceivedDatagrams, {
  /** The next datagram. */
  readonly take: Effect.Effect<Datagram>
  /** All datagrams that have arrived and were not taken. */
  readonly takeAvailable: Effect.Effect<ReadonlyArray<Datagram>>
  /** Makes connecting fail, or succeed again. */
  readonly setReachable: (reachable: boolean) => void
}>()("effect-nsq/testing/ReceivedDatagrams") {}

/**
 * UDP in memory, and its receiver.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Datagrams | ReceivedDatagrams> = Layer.effectContext(Effect.gen(function*() {
  const arrived = yield* Queue.unbounded<Datagram>()
  let isReachable = true
  return Context.make(Datagrams, {
    connect: (address) =>
      isReachable
        ? Effect.succeed({
          send: (bytes) =>
            Effect.sync(() => void Queue.offerUnsafe(arrived, { address, text: Buffer.from(bytes).toString("latin1") }))
        })
        : Effect.fail(datagramFailure(address, new Error("no route to host")))
  }).pipe(Context.add(ReceivedDatagrams, {
    take: Queue.take(arrived),
    takeAvailable: Queue.clear(arrived),
    setReachable: (reachable) => void (isReachable = reachable)
  }))
}))
