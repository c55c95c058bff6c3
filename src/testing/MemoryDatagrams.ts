/**
 * UDP in memory, for testing what is pushed to statsd: every datagram arrives, in order.
 */
import { Context, Effect, Layer, Queue } from "effect"
import { DatagramError, Datagrams } from "../services/net/Datagrams.ts"

/** What was sent. */
export interface Datagram {
  /** Whom to. */
  readonly address: string
  readonly text: string
}

/** The receiving end of all of `Datagrams`. */
export class ReceivedDatagrams extends Context.Service<ReceivedDatagrams, {
  /** The next datagram. */
  readonly take: Effect.Effect<Datagram>
  /** Everything that has arrived and was not taken. */
  readonly takeAvailable: Effect.Effect<ReadonlyArray<Datagram>>
  /** From now on connecting fails, or works again. */
  readonly setReachable: (reachable: boolean) => void
}>()("effect-nsq/testing/ReceivedDatagrams") {}

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
        : Effect.fail(new DatagramError({ address, cause: new Error("no route to host") }))
  }).pipe(Context.add(ReceivedDatagrams, {
    take: Queue.take(arrived),
    takeAvailable: Queue.clear(arrived),
    setReachable: (reachable) => void (isReachable = reachable)
  }))
}))
