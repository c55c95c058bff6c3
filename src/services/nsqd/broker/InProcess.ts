/**
 * Publishing and consuming from the program the broker runs in: no sockets, the same topics and channels, the same rules for
 * time-outs, requeueing and attempts.
 */
import { type Cause, Duration, Effect, Queue, Stream } from "effect"
import { frameHeaderSize } from "../../../protocol/client/Frame.ts"
import { decodeMessage, type Message, messageKey } from "../../../protocol/client/Message.ts"
import { ChannelName, TopicName } from "../../../protocol/client/Names.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import type { StorageError } from "../storage/Storage.ts"
import { Broker } from "./Broker.ts"
import type { LimitReached, PublishError, SubscribeError } from "./BrokerError.ts"
import * as Locality from "./Locality.ts"
import { joinBodies, Publisher } from "./Publisher.ts"
import type { AnswerResult, Consumer, Subscription } from "./Subscription.ts"

/** A message given to this program. It has to be answered in time, or it is given out again. */
export interface Delivery extends Message {
  /** The message has been dealt with. */
  readonly finish: Effect.Effect<AnswerResult>
  /** The message goes back to its channel, to be delivered again after the delay. */
  readonly requeue: (delay?: Duration.Input) => Effect.Effect<AnswerResult>
  /** The message needs more time. */
  readonly touch: Effect.Effect<AnswerResult>
}

export interface ConsumeOptions {
  /** The most messages held at a time, 1 unless said otherwise. */
  readonly maxInFlight?: number
  /** How long a message may be held; the broker's `msgTimeout` unless said otherwise. */
  readonly msgTimeout?: Duration.Input
}

/**
 * Publishes one or more bodies to a topic, which is created when it does not exist. Completes when the broker has taken
 * responsibility: in memory, or on disk where memory was full.
 */
export const publish = Effect.fnUntraced(function*(
  topic: string,
  bodies: Uint8Array | ReadonlyArray<Uint8Array>,
  options?: { readonly delay?: Duration.Input }
): Effect.fn.Return<void, PublishError | LimitReached | StorageError, Broker | Publisher> {
  const broker = yield* Broker
  const publisher = yield* Publisher
  const target = yield* broker.topic(TopicName.make(topic))
  const delay = Duration.toMillis(Duration.fromInputUnsafe(options?.delay ?? 0))
  const all = bodies instanceof Uint8Array ? [bodies] : bodies
  // A delay belongs to a message: delayed ones are published one by one.
  const batches = delay > 0 ? all.map((body) => [body]) : [all]
  yield* Effect.forEach(
    batches.filter((batch) => batch.length > 0),
    (batch) => publisher.publish(target, joinBodies(batch), delay) ?? Effect.void,
    { discard: true }
  )
})

/**
 * The messages of a channel, as long as the Stream is consumed. What is in flight when the Stream ends goes back to the
 * channel. The Stream ends when the channel is deleted or the broker stops.
 */
export const consume = (
  topic: string,
  channel: string,
  options?: ConsumeOptions
): Stream.Stream<Delivery, SubscribeError | LimitReached | StorageError, Broker> =>
  Stream.unwrap(Effect.gen(function*() {
    const broker = yield* Broker
    const defaults = yield* NsqdOptions
    const maxInFlight = options?.maxInFlight ?? 1
    const deliveries = yield* Queue.unbounded<Delivery, Cause.Done>()
    let subscription: Subscription | undefined
    const consumer: Consumer = {
      deliver: (frames, start, end) => {
        if (subscription === undefined) return
        for (let at = start; at < end;) {
          const next = at + frames.readInt32BE(at) + 4
          Queue.offerUnsafe(deliveries, deliveryOf(subscription, frames.subarray(at + frameHeaderSize, next)))
          at = next
        }
      },
      flush: () => {},
      // Messages that time out before the Stream is pulled must not come again and again: they go to others.
      isWritable: () => Queue.sizeUnsafe(deliveries) < maxInFlight,
      inputMark: () => 0,
      close: () => void Queue.endUnsafe(deliveries)
    }
    const subscribed = yield* broker.subscribe(TopicName.make(topic), ChannelName.make(channel), consumer, {
      msgTimeout: Duration.toMillis(Duration.fromInputUnsafe(options?.msgTimeout ?? defaults.msgTimeout)),
      sampleRate: 0,
      // Nothing is nearer than the same process.
      locality: Locality.of(defaults, defaults.topologyZone, defaults.topologyRegion)
    })
    subscription = subscribed
    subscribed.setReady(maxInFlight)
    return Stream.mapArray(Stream.fromQueue(deliveries), (pulled) => {
      subscribed.wake()
      return pulled
    })
  }))

const deliveryOf = (subscription: Subscription, data: Buffer): Delivery => {
  const message = decodeMessage(data)
  if (message === undefined) throw new Error("invariant: the channel delivers whole messages")
  const key = messageKey(message.id)
  return {
    ...message,
    finish: Effect.sync(() => subscription.finish(key)),
    requeue: (delay = 0) =>
      Effect.sync(() => subscription.requeue(key, Duration.toMillis(Duration.fromInputUnsafe(delay)))),
    touch: Effect.sync(() => subscription.touch(key))
  }
}
