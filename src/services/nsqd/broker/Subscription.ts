/**
 * A consumer's place on a channel: how many messages it is ready for, what it has in flight, what it has answered. The
 * consumer itself, a connection or an in-process stream, is behind `Consumer`.
 */
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { InFlight } from "./InFlight.ts"
import * as Locality from "./Locality.ts"

/** Whoever receives messages. All methods are called by the channel, synchronously. */
export interface Consumer {
  /** Takes `count` whole message frames, `frames[start..end)`. They may be used after the call returns but never changed. */
  readonly deliver: (frames: Buffer, start: number, end: number, count: number) => void
  /** No more messages for now: what was delivered is to go out. */
  readonly flush: () => void
  /**
   * Whether more messages may be delivered. The channel asks during a pass and again after each `flush`. If it is false then,
   * the consumer calls `Channel.wake` once it is true again.
   */
  readonly isWritable: () => boolean
  /**
   * Changes whenever something that the consumer has sent is read or carried out. Before messages time out the channel waits
   * until it stays the same for a turn of the event loop. Always the same where consumers call the channel directly.
   */
  readonly inputMark: () => number
  /** The channel is gone; nothing more will be delivered. */
  readonly close: () => void
}

/** How messages are given to one consumer. */
export interface SubscriptionOptions {
  /** How long it may hold a message, in ms. */
  readonly msgTimeout: number
  /** Percent of the messages it wants, 0 for all. */
  readonly sampleRate: number
  /** How near it is; only of interest to topology-aware consumption. */
  readonly locality?: Locality.Locality
}

/** The channel's reply to a FIN, REQ or TOUCH. */
export type AnswerResult = "done" | "not in flight" | "not owner"

/** The channel of a subscription. */
export interface SubscribedChannel {
  readonly finish: (subscription: Subscription, key: MessageKey) => AnswerResult
  readonly requeue: (subscription: Subscription, key: MessageKey, delayMillis: number) => AnswerResult
  readonly touch: (subscription: Subscription, key: MessageKey) => AnswerResult
  readonly wake: () => void
}

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

  /** The messages in flight to the consumer. Another table after the channel was emptied. */
  get inFlight(): InFlight {
    return this.table
  }
  /** Until when, in monotonic ms, what the consumer has sent is known to have been executed. */
  get heardUntil(): number {
    return this.heardAt
  }
  /** The most messages the consumer wants in flight: RDY, a ceiling that is not counted down. */
  get readyCount(): number {
    return this.ready
  }
  /** Messages delivered, with repeated deliveries. */
  get messageCount(): number {
    return this.delivered
  }
  get finishCount(): number {
    return this.finished
  }
  get requeueCount(): number {
    return this.requeued
  }
  /** How many messages it may be given now. */
  get capacity(): number {
    const free = this.ready - this.table.size
    return free > 0 && this.consumer.isWritable() ? free : 0
  }

  // ---- from the consumer

  /** RDY. */
  setReady(count: number): void {
    this.ready = count
    this.channel.wake()
  }
  /** FIN. */
  finish(key: MessageKey): AnswerResult {
    return this.channel.finish(this, key)
  }
  /** REQ: the message goes back to the channel, at once or after `delayMillis`. */
  requeue(key: MessageKey, delayMillis: number): AnswerResult {
    return this.channel.requeue(this, key, delayMillis)
  }
  /** TOUCH. */
  touch(key: MessageKey): AnswerResult {
    return this.channel.touch(this, key)
  }
  /** The consumer is writable again. */
  wake(): void {
    this.channel.wake()
  }

  // ---- from the channel

  noteDelivered(count: number): void {
    this.delivered += count
  }
  noteFinished(): void {
    this.finished++
  }
  noteRequeued(): void {
    this.requeued++
  }
  /** What the consumer has sent until `now` has been executed. */
  noteHeard(now: number): void {
    this.heardAt = now
  }
  /** The channel was emptied: nothing is in flight any more. */
  forgetInFlight(): void {
    this.table = new InFlight()
  }
  /** The consumer has left: it gets nothing more. */
  end(): void {
    this.ready = 0
  }
}
