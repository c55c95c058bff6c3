/** The options, handlers and events of the consumer of `effect-nsq/promise`. All durations are in milliseconds. */
import type { Decision, Message } from "./Message.ts"
import type { NsqError } from "./NsqError.ts"
import type { Cancellable, ClientOptions } from "./Options.ts"
import type { Retry } from "./Retry.ts"

/**
 * Options of a consumer. `A` is the type of the values that `decode` returns.
 *
 * @since 0.2.0
 * @category models
 */
export interface ConsumerOptions<A = Buffer> extends ClientOptions {
  readonly topic: string
  readonly channel: string
  /** Messages in flight over all connections. Default: 1. */
  readonly maxInFlight?: number
  /** Deliveries of a message before the consumer gives it up; 0 for no limit. Default: 5. */
  readonly maxAttempts?: number
  /**
   * Is called with a message that is given up, and with the error of its handler, of `decode`, or one with the code
   * `ERR_NSQ_TOO_MANY_ATTEMPTS`, before the message is finished. If it throws or rejects, the message is requeued. Default: the
   * message is finished.
   */
  readonly onGivenUp?: (message: Message<A>, error: unknown) => unknown
  /** Decides about a message whose body `decode` refuses. Default: it is given up at once, without backoff. */
  readonly onUndecodable?: (error: NsqError, message: Message<A>) => Decision
  /** Topic to which messages that are given up are published, as JSON with the error, before they are finished. Default: none. */
  readonly deadLetter?: string
  /**
   * Delays of automatic requeues, each at most `maxRequeueDelay`. The attempt is the number of deliveries, which nsqd counts. A
   * message is given up when the delays end, or after `maxAttempts` deliveries: set that to 0 for more than five. Default:
   * `defaultRequeueDelay` times the deliveries.
   */
  readonly retry?: Retry
  /** Delay of the first automatic requeue in ms; that of the nth is n times as long. Default: 90,000. */
  readonly defaultRequeueDelay?: number
  /** Longest delay of an automatic requeue in ms. Default: 900,000. */
  readonly maxRequeueDelay?: number
  /** Longest wait of a backoff in ms; 0 disables backoff. Default: 120,000. */
  readonly maxBackoffDuration?: number
  /** Half the first wait of a backoff in ms. Default: 1,000. */
  readonly backoffMultiplier?: number
  /** Time in ms without a message after which a connection passes its turn, with more connections than `maxInFlight`. Default: 10,000. */
  readonly lowReadyIdleTimeout?: number
  /** Touches messages in the hands of the program before they time out, up to the server's limit. Default: true. */
  readonly autoTouch?: boolean
  /** Time in ms in which handlers may finish their messages when the consumer ends; the rest is requeued. Default: 30,000. */
  readonly drainTimeout?: number
  /** Handles messages with the same key once. Default: every message is handled. */
  readonly deduplicate?: DeduplicateOptions<A>
}

/**
 * A function that decodes bodies. A body for which it throws is undecodable.
 *
 * @since 0.2.0
 * @category models
 */
export interface Decoding<A> {
  readonly decode: (body: Buffer) => A
}

/**
 * Recognises messages that this consumer has processed before, by a key.
 *
 * @since 0.2.0
 * @category models
 */
export interface DeduplicateOptions<A> {
  /** Returns what identifies a message, for example the number of an order. */
  readonly key: (message: Message<A>) => string
  /** Time for which a processed key is remembered, in ms. Default: 300,000. */
  readonly window?: number
  /** Keys that are remembered; the oldest are forgotten first. Default: 100,000. */
  readonly maxKeys?: number
}

/**
 * What a handler receives besides its message.
 *
 * @since 0.2.0
 * @category models
 */
export interface HandlerContext {
  /** Is aborted when the consumer has ended and `drainTimeout` has passed. */
  readonly signal: AbortSignal
}

/**
 * Options of `run`.
 *
 * @since 0.2.0
 * @category models
 */
export interface RunOptions<A = Buffer> extends Cancellable {
  /** Concurrent handlers. Default: `maxInFlight`, at most 1000. */
  readonly concurrency?: number
  /** Decides about a message whose handler failed. Default: the message is requeued, and the consumer backs off. */
  readonly onError?: (error: unknown, message: Message<A>) => Decision
}

/**
 * Options of `runBatches`.
 *
 * @since 0.2.0
 * @category models
 */
export interface BatchOptions<A = Buffer> extends Cancellable {
  /** Most messages of a batch. Default: `maxInFlight`. */
  readonly size?: number
  /** Longest time from the first message of a batch to its handler, in ms. Default: 1,000. */
  readonly within?: number
  /** Concurrent handlers. Default: 1. */
  readonly concurrency?: number
  /** Decides about each message of a batch whose handler failed. Default: as for `run`. */
  readonly onError?: (error: unknown, message: Message<A>) => Decision
}

/**
 * The events of a consumer, with the arguments of their listeners. `address` is that of an nsqd, `host:port`.
 *
 * @since 0.2.0
 * @category models
 */
export interface ConsumerEvents<A = Buffer> {
  connected: [address: string]
  /** The connection was lost or could not be made; the consumer connects again after a pause. */
  disconnected: [address: string, error: NsqError]
  /** nsqlookupd does not name this nsqd any more. */
  removed: [address: string]
  /** A handler threw or rejected. */
  failed: [error: unknown, message: Message<A>]
  /** A message is given up: `onGivenUp` of the options describes the error. */
  givenUp: [message: Message<A>, error: unknown]
  closed: []
}
