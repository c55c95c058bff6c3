/**
 * Publishing and consuming inside the program that embeds the broker: without sockets, with the same topics, channels
 * and rules for timeouts, requeueing and attempts.
 */
import { type Cause, Duration, Effect, Queue, Stream } from "effect"
import { frameHeaderSize } from "../../../protocol/client/Frame.ts"
import { valueStart } from "../../../protocol/client/HeaderLines.ts"
import { dedupKeyHeader, encodePublishedHeaders, type Headers, readHeaders } from "../../../protocol/client/Headers.ts"
import { decodeMessage, type Message, messageKey } from "../../../protocol/client/Message.ts"
import { frameBodyStart, frameHeaders } from "../../../protocol/client/MessageBatch.ts"
import { ChannelName, TopicName } from "../../../protocol/client/Names.ts"
import * as Completion from "../../core/Completion.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { Broker } from "./Broker.ts"
import { BrokerError } from "./BrokerError.ts"
import * as Locality from "./Locality.ts"
import { joinBodies, Publisher } from "./Publisher.ts"
import type { AcknowledgementResult, Consumer, Subscription } from "./Subscription.ts"

/**
 * A message for this program. It must be acknowledged before its timeout, or it is redelivered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery extends Message {
  /**
   * The headers of the message by name, in lower case; empty without headers.
   *
   * @since 0.2.0
   */
  readonly headers: Headers
  /** Acknowledges the message. */
  readonly finish: Effect.Effect<AcknowledgementResult>
  /** Requeues the message, to be redelivered after the delay. Default: no delay. */
  readonly requeue: (delay?: Duration.Input) => Effect.Effect<AcknowledgementResult>
  /**
   * Makes the message a dead letter with this reason (docs/policies.md#dead-letters). Default: `rejected`.
   *
   * @since 0.2.0
   */
  readonly reject: (reason?: string) => Effect.Effect<AcknowledgementResult>
  /** Resets the timeout of the message. */
  readonly touch: Effect.Effect<AcknowledgementResult>
}

/**
 * A topic of values, such as `Topic.make("orders", Order)` of `effect-nsq/client`.
 *
 * @since 0.2.0
 * @category models
 */
export interface TypedTopic<A, E> {
  readonly name: TopicName
  readonly encode: (value: A) => Effect.Effect<Uint8Array, E>
  readonly decode: (body: Uint8Array) => Effect.Effect<A, E>
}

/**
 * A message of a topic of values.
 *
 * @since 0.2.0
 * @category models
 */
export interface TypedDelivery<A, E> extends Delivery {
  /** The body decoded by the topic. */
  readonly value: Effect.Effect<A, E>
}

/**
 * Options of a publish.
 *
 * @since 0.2.0
 * @category models
 */
export interface PublishOptions {
  /** Delay until the messages are delivered. Default: 0. */
  readonly delay?: Duration.Input
  /**
   * Headers of the messages, whose names become lower case. Those that only nsqd sets, such as `nsq-origin-topic`, are refused with the
   * reason `Rejection`. Default: no headers.
   */
  readonly headers?: Headers
  /**
   * A key by which the topic recognizes the same publish within the window of its policy `dedup_window`, and does not store it again.
   * With a delay, each body needs a publish of its own. Default: no key.
   */
  readonly dedupKey?: string
}

/**
 * Options of `consume`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConsumeOptions {
  /** Maximum number of unacknowledged messages. Default: 1. */
  readonly maxInFlight?: number
  /** Message timeout. Default: the broker's `msgTimeout`. */
  readonly msgTimeout?: Duration.Input
}

/** Checks what a program without types passes. */
const bodiesIn = (content: unknown): ReadonlyArray<Uint8Array> =>
  (Array.isArray(content) ? content : [content]).map((body: unknown) => {
    if (body instanceof Uint8Array) return body
    throw new TypeError("publish: a body must be a Uint8Array")
  })

const publishBodies = Effect.fnUntraced(function*(
  topic: string,
  all: ReadonlyArray<Uint8Array>,
  options: PublishOptions | undefined
): Effect.fn.Return<void, BrokerError | StorageError, Publisher> {
  const publisher = yield* Publisher
  const name = TopicName.make(topic)
  const delay = Duration.toMillis(Duration.fromInputUnsafe(options?.delay ?? 0))
  // A delay belongs to a single message, so delayed bodies are published one by one.
  const batches = delay > 0 ? all.map((body) => [body]) : [all]
  const dedupKey = options?.dedupKey
  const headers = encodePublishedHeaders({
    ...options?.headers,
    ...(dedupKey === undefined ? {} : { [dedupKeyHeader]: dedupKey })
  })
  if (!Buffer.isBuffer(headers)) return yield* BrokerError.rejection(headers.message)
  const dedupKeyStart = valueStart(headers, dedupKeyHeader)
  yield* Effect.forEach(
    batches.filter((batch) => batch.length > 0),
    (batch) => {
      const bodies = joinBodies(batch, headers)
      return Completion.toEffect(
        publisher.publish(name, dedupKeyStart === undefined ? bodies : { ...bodies, dedupKeyStart }, delay)
      )
    },
    { discard: true }
  )
})

/**
 * Publishes one or more bodies to a topic, or one value to a topic of values. The topic is created if needed. Completes when the
 * broker has stored them: in memory, or on disk if memory is full, or as the topic's durability requires. An empty array of bodies
 * does nothing. Dies if the topic name is not valid. Fails with the reasons `Exiting`, `DiskFull`, `DiskFailure`, `Rejection` and
 * `TopicLimit`, and with the error of the topic if the value cannot be encoded.
 *
 * ```ts
 * const program = publish("orders", [Buffer.from("tea"), Buffer.from("coffee")], { delay: "5 seconds" })
 * const typed = publish(orders, { item: "tea", quantity: 2 })
 * ```
 *
 * @since 0.1.0
 * @category operations
 */
export function publish(
  topic: string,
  bodies: Uint8Array | ReadonlyArray<Uint8Array>,
  options?: PublishOptions
): Effect.Effect<void, BrokerError | StorageError, Publisher>
export function publish<A, E>(
  topic: TypedTopic<A, E>,
  value: A,
  options?: PublishOptions
): Effect.Effect<void, BrokerError | StorageError | E, Publisher>
export function publish(
  topic: string | TypedTopic<unknown, unknown>,
  content: unknown,
  options?: PublishOptions
): Effect.Effect<void, unknown, Publisher> {
  return typeof topic === "string"
    ? Effect.suspend(() => publishBodies(topic, bodiesIn(content), options))
    : publishAll(topic, [content], options)
}

/**
 * Publishes values to a topic of values, all in one batch unless they have a delay. Fails as `publish` does; if a value cannot be
 * encoded, none is published.
 *
 * @since 0.2.0
 * @category operations
 */
export const publishAll = <A, E>(
  topic: TypedTopic<A, E>,
  values: ReadonlyArray<A>,
  options?: PublishOptions
): Effect.Effect<void, BrokerError | StorageError | E, Publisher> =>
  Effect.flatMap(
    Effect.forEach(values, (value) => topic.encode(value)),
    (bodies) => publishBodies(topic.name, bodies, options)
  )

/**
 * The messages of a channel while the Stream is consumed; those of a topic of values have their `value`. When the Stream ends, messages in flight return to the
 * channel. Ends when the channel is deleted or the broker stops. Fails with the reasons `TopicLimit`, `ChannelLimit`,
 * `ConsumerLimit` and `Exiting`.
 *
 * ```ts
 * const program = consume("orders", "kitchen", { maxInFlight: 2 }).pipe(
 *   Stream.runForEach((delivery) => delivery.finish)
 * )
 * ```
 *
 * @since 0.1.0
 * @category operations
 */
export function consume(
  topic: string,
  channel: string,
  options?: ConsumeOptions
): Stream.Stream<Delivery, BrokerError | StorageError, Broker>
export function consume<A, E>(
  topic: TypedTopic<A, E>,
  channel: string,
  options?: ConsumeOptions
): Stream.Stream<TypedDelivery<A, E>, BrokerError | StorageError, Broker>
export function consume(
  topic: string | TypedTopic<unknown, unknown>,
  channel: string,
  options?: ConsumeOptions
): Stream.Stream<Delivery | TypedDelivery<unknown, unknown>, BrokerError | StorageError, Broker> {
  if (typeof topic === "string") return deliveriesOf(topic, channel, options)
  return Stream.map(deliveriesOf(topic.name, channel, options), (delivery) => ({
    ...delivery,
    value: topic.decode(delivery.body)
  }))
}

const deliveriesOf = (
  topic: string,
  channel: string,
  options: ConsumeOptions | undefined
): Stream.Stream<Delivery, BrokerError | StorageError, Broker> =>
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
          Queue.offerUnsafe(deliveries, deliveryOf(subscription, frames.subarray(at, next)))
          at = next
        }
      },
      readsHeaders: true,
      flush: () => {},
      // Messages that time out before they are pulled must go to other consumers, not to this one again.
      isWritable: () => Queue.sizeUnsafe(deliveries) < maxInFlight,
      inputMark: () => 0,
      close: () => void Queue.endUnsafe(deliveries)
    }
    const subscribed = yield* broker.subscribe(TopicName.make(topic), ChannelName.make(channel), consumer, {
      msgTimeout: Duration.toMillis(Duration.fromInputUnsafe(options?.msgTimeout ?? defaults.msgTimeout)),
      sampleRate: 0,
      // The same process has the nearest locality.
      locality: Locality.of(defaults, defaults.topologyZone, defaults.topologyRegion)
    })
    subscription = subscribed
    subscribed.setReady(maxInFlight)
    return Stream.mapArray(Stream.fromQueue(deliveries), (pulled) => {
      subscribed.wake()
      return pulled
    })
  }))

const deliveryOf = (subscription: Subscription, frame: Buffer): Delivery => {
  const message = decodeMessage(frame.subarray(frameHeaderSize))
  if (message === undefined) throw new Error("invariant: the channel delivers whole messages")
  const key = messageKey(message.id)
  return {
    ...message,
    body: frame.subarray(frameBodyStart(frame, 0)),
    headers: readHeaders(frameHeaders(frame, 0)),
    finish: Effect.sync(() => subscription.finish(key)),
    requeue: (delay = 0) =>
      Effect.sync(() => subscription.requeue(key, Duration.toMillis(Duration.fromInputUnsafe(delay)))),
    reject: (reason = "rejected") => Effect.sync(() => subscription.reject(key, reason)),
    touch: Effect.sync(() => subscription.touch(key))
  }
}
