/**
 * A consumer's subscription to a channel: its ready count, messages in flight, and counters. The consumer itself, a
 * connection or an in-process stream, implements `Consumer`.
 */
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { InFlight } from "./InFlight.ts"
import * as Locality from "./Locality.ts"

/**
 * A receiver of messages. The channel calls all methods synchronously.
 *
 * @since 0.1.0
 * @category models
 */
export interface Consumer {
  /**
   * Receives `count` whole message frames, `frames[start..end)`. They may be used after the call but must not be
   * changed.
   */
  readonly deliver: (frames: Buffer, start: number, end: number, count: number) => void
  /**
   * Whether `deliver` takes frames of type `messageWithHeaders`, whose headers precede the body. Messages with headers are otherwise
   * delivered as plain messages, without them. Default: false.
   *
   * @since 0.2.0
   */
  readonly readsHeaders?: boolean
  /** The end of a pass: delivered messages should be sent. */
  readonly flush: () => void
  /**
   * Whether more messages may be delivered. Called during a pass and after each `flush`. After false, the consumer
   * must call `Subscription.wake` when it is writable again.
   */
  readonly isWritable: () => boolean
  /**
   * Changes whenever input of the consumer is read or executed. Before messages time out, the channel waits until it
   * is stable for a turn of the event loop. Constant for consumers that call the channel directly.
   */
  readonly inputMark: () => number
  /** The channel is closed or deleted; nothing more will be delivered. */
  readonly close: () => void
  /**
   * The name of the client, which its dead letters have. Default: none.
   *
   * @since 0.2.0
   */
  readonly name?: () => string
}

/**
 * How messages are delivered to one consumer.
 *
 * @since 0.1.0
 * @category models
 */
export interface SubscriptionOptions {
  /** Message timeout in ms. */
  readonly msgTimeout: number
  /** Percentage of messages to deliver; 0 for all. */
  readonly sampleRate: number
  /** The consumer's locality, for topology-aware consumption. Default: unknown. */
  readonly locality?: Locality.Locality
}

/**
 * The channel's result for a FIN, REQ or TOUCH.
 *
 * @since 0.1.0
 * @category models
 */
export type AcknowledgementResult = "done" | "not in flight" | "not owner"

/** The channel of a subscription. */
export interface SubscribedChannel {
  readonly finish: (subscription: Subscription, key: MessageKey) => AcknowledgementResult
  readonly requeue: (subscription: Subscription, key: MessageKey, delayMillis: number) => AcknowledgementResult
  readonly touch: (subscription: Subscription, key: MessageKey) => AcknowledgementResult
  readonly reject: (subscription: Subscription, key: MessageKey, reason: string) => AcknowledgementResult
  readonly wake: () => void
}

/**
 * A consumer on a channel: its ready count, its messages in flight, its counters, and its acknowledgements.
 *
 * @since 0.1.0
 * @category models
 */
export class Subscription {
  readonly consumer: Consumer
  readonly locality: Locality.Locality
  readonly options: SubscriptionOptions
  private readonly channel: SubscribedChannel
  private table = new InFlight()
  private heardAt = -Infinity
  private ready = 0
  private delivered = 0
  private finished = 0
  private requeued = 0

  constructor(channel: SubscribedChannel, consumer: Consumer, options: SubscriptionOptions) {
    this.channel = channel
    this.consumer = consumer
    this.options = options
    this.locality = options.locality ?? Locality.global
  }

  /** The messages in flight to the consumer. Replaced when the channel is emptied. */
  get inFlight(): InFlight {
    return this.table
  }
  /** Time in monotonic ms until which the consumer's input is known to be executed. */
  get heardUntil(): number {
    return this.heardAt
  }
  /** The maximum number of messages in flight (RDY). It is a limit and is not counted down. */
  get readyCount(): number {
    return this.ready
  }
  /** Messages delivered, including redeliveries. */
  get messageCount(): number {
    return this.delivered
  }
  get finishCount(): number {
    return this.finished
  }
  get requeueCount(): number {
    return this.requeued
  }
  /** How many messages may be delivered now. */
  get capacity(): number {
    const free = this.ready - this.table.size
    return free > 0 && this.consumer.isWritable() ? free : 0
  }

  // ---- called by the consumer

  /** RDY. */
  setReady(count: number): void {
    this.ready = count
    this.channel.wake()
  }
  /** FIN. */
  finish(key: MessageKey): AcknowledgementResult {
    return this.channel.finish(this, key)
  }
  /** REQ: the message goes back to the channel, at once or after `delayMillis`. */
  requeue(key: MessageKey, delayMillis: number): AcknowledgementResult {
    return this.channel.requeue(this, key, delayMillis)
  }
  /** TOUCH. */
  touch(key: MessageKey): AcknowledgementResult {
    return this.channel.touch(this, key)
  }
  /**
   * The message cannot be handled: it goes to the dead-letter topic of the channel, with the reason.
   *
   * @since 0.2.0
   */
  reject(key: MessageKey, reason: string): AcknowledgementResult {
    return this.channel.reject(this, key, reason)
  }
  /** The consumer is writable again. */
  wake(): void {
    this.channel.wake()
  }

  // ---- called by the channel

  noteDelivered(count: number): void {
    this.delivered += count
  }
  noteFinished(): void {
    this.finished++
  }
  noteRequeued(): void {
    this.requeued++
  }
  /** The consumer's input up to `now` has been executed. */
  noteHeard(now: number): void {
    this.heardAt = now
  }
  /** Forgets the messages in flight after the channel was emptied. */
  forgetInFlight(): void {
    this.table = new InFlight()
  }
  /** The consumer has left and gets nothing more. */
  end(): void {
    this.ready = 0
  }
}
