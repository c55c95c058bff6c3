/**
 * A consumer's place on a channel: how many messages it is ready for, what it has in flight, what it has answered. The
 * consumer itself, a connection or an in-process stream, is behind `Consumer`.
 */
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

export class Subscription {
  readonly consumer: Consumer
  /** Another one when the channel is emptied. */
  inFlight = new InFlight()
  /** Until when, in monotonic ms, what the consumer has sent is known to have been carried out. */
  heardUntil = -Infinity
  readonly locality: Locality.Locality
  options: SubscriptionOptions
  /** The most messages the consumer wants in flight: RDY, a ceiling that is not counted down. */
  readyCount = 0
  messageCount = 0
  finishCount = 0
  requeueCount = 0

  constructor(consumer: Consumer, options: SubscriptionOptions) {
    this.consumer = consumer
    this.options = options
    this.locality = options.locality ?? Locality.global
  }

  /** How many messages it may be given now. */
  get capacity(): number {
    const free = this.readyCount - this.inFlight.size
    return free > 0 && this.consumer.isWritable() ? free : 0
  }
}
