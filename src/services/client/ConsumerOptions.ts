/**
 * The options of consumers, of their `run` and their `runBatches`, and the defaults.
 */
import { type Cause, Duration, type Effect, type Schedule } from "effect"
import type { ClientError } from "./ClientError.ts"
import type * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionOptions } from "./ConnectionOptions.ts"
import type { DeadLetter } from "./DeadLetter.ts"
import type { Decision } from "./Decision.ts"
import type { Delivery } from "./Delivery.ts"
import type { Servers } from "./Discovery.ts"
import * as RequeueDelays from "./RequeueDelays.ts"

/**
 * Options of a consumer. `R` is what `onGivenUp` requires.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConsumerOptions<A, R = never> {
  /** Name of a topic of bytes (`Topic.bytes`), or a topic with a Schema. */
  readonly topic: ClientTopic.Topic<A>
  /** Name of the channel to consume. Its consumers share its messages. */
  readonly channel: string
  /** The nsqd to connect to, or the nsqlookupd that know the nsqd of the topic. */
  readonly servers: Servers
  /** How the consumer connects to nsqd. Default: the defaults of `ConnectionOptions`. */
  readonly connection?: ConnectionOptions
  /** Messages in flight over all connections. Default: 1. */
  readonly maxInFlight?: number
  /**
   * Deliveries of a message before the consumer gives it up; 0 for no limit. A message whose handler fails at the last one is
   * given up at once. Default: 5.
   */
  readonly maxAttempts?: number
  /**
   * Runs for a message that is given up, before it is finished. The cause is the failure of its handler, the `ClientError` of a body
   * that cannot be decoded, or one with the reason `TooManyAttempts`. If it fails, the message is requeued and the failure is
   * logged. Default: logs a warning.
   */
  readonly onGivenUp?: (delivery: Delivery<A>, cause: Cause.Cause<unknown>) => Effect.Effect<unknown, unknown, R>
  /**
   * Decides about a message whose body cannot be decoded. Default: the message is given up at once, and the consumer does not
   * back off.
   */
  readonly onUndecodable?: (error: ClientError, delivery: Delivery<A>) => Decision
  /**
   * Topic to which messages that are given up are published, each with its cause, before they are finished
   * (`DeadLetter.topic("orders.rejected")`). A message that no nsqd takes is requeued. The consumer opens a connection to its
   * servers for it. Default: none.
   */
  readonly deadLetter?: ClientTopic.Topic<DeadLetter>
  /**
   * Delays of automatic requeues: step n is the delay after delivery n, at most `maxRequeueDelay`. A message is given up when the
   * Schedule has ended. nsqd counts the deliveries, so that each message has steps of its own. Default: `defaultRequeueDelay`
   * times the deliveries.
   */
  readonly retry?: Schedule.Schedule<unknown>
  /** Delay of the first automatic requeue; that of the nth is n times as long. Default: 90 s. */
  readonly defaultRequeueDelay?: Duration.Input
  /** Longest delay of an automatic requeue. Default: 15 min. */
  readonly maxRequeueDelay?: Duration.Input
  /** Longest wait of a backoff; 0 disables backoff. Default: 2 min. */
  readonly maxBackoffDuration?: Duration.Input
  /** Half the first wait of a backoff. Default: 1 s. */
  readonly backoffMultiplier?: Duration.Input
  /**
   * Time without a message after which a connection passes its turn, if there are more connections than `maxInFlight`. Default:
   * 10 s.
   */
  readonly lowReadyIdleTimeout?: Duration.Input
  /**
   * Touches messages before they time out, up to the server's limit for one delivery: those that wait for a handler, and those in
   * the hands of a handler or of the program that reads `messages`. Default: true.
   */
  readonly autoTouch?: boolean
  /**
   * Limit for the end of a consumer: how long handlers may finish their messages when the Scope closes or `run` is interrupted, and
   * how long `stop` waits for messages in flight. The rest is requeued. 0 interrupts handlers at once. Default: 30 s.
   */
  readonly drainTimeout?: Duration.Input
  /** Handles messages with the same key once. Default: every message is handled. */
  readonly deduplicate?: DeduplicateOptions<A>
}

/**
 * Recognises messages that were processed before by a key. A message whose key was processed within the window is finished
 * without its handler; one whose key is being processed waits for the result. The keys are in the memory of one consumer, so
 * that messages of other processes and from before a restart are not recognised.
 *
 * @since 0.2.0
 * @category models
 */
export interface DeduplicateOptions<A> {
  /** Returns what identifies a message, for example the number of an order. */
  readonly key: (value: A, delivery: Delivery<A>) => string
  /** Time for which a processed key is remembered. Default: 5 min. */
  readonly window?: Duration.Input
  /** Keys that are remembered; the oldest are forgotten first. Default: 100,000. */
  readonly maxKeys?: number
}

/**
 * Options of `Consumer.run`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunOptions<A = unknown, E = unknown> {
  /** Concurrent handlers. Default: `maxInFlight`, at most 1000. */
  readonly concurrency?: number
  /**
   * Decides about a message whose handler failed with an error; a defect requeues it. Default: the message is requeued, the error
   * is logged, and the consumer backs off.
   */
  readonly onError?: (error: E, delivery: Delivery<A>) => Decision
}

/**
 * Options of `Consumer.runBatches`.
 *
 * @since 0.2.0
 * @category models
 */
export interface BatchOptions<A = unknown, E = unknown> {
  /** Most messages of a batch. A batch is also complete when no more messages may be in flight. Default: `maxInFlight`. */
  readonly size?: number
  /** Longest time from the first message of a batch to its handler. Default: 1 s. */
  readonly within?: Duration.Input
  /** Concurrent handlers. Default: 1. */
  readonly concurrency?: number
  /** Decides about each message of a batch whose handler failed with an error. Default: as for `run`. */
  readonly onError?: (error: E, delivery: Delivery<A>) => Decision
}

/** Returns a duration in ms, or that of the default. */
export const toMillis = (input: Duration.Input | undefined, fallback: Duration.Input): number =>
  Duration.toMillis(Duration.fromInputUnsafe(input ?? fallback))

/** Returns the delays of automatic requeues. */
export const requeueDelays = <A, R>(options: ConsumerOptions<A, R>): RequeueDelays.RequeueDelays => {
  const first = toMillis(options.defaultRequeueDelay, "90 seconds")
  const max = toMillis(options.maxRequeueDelay, "15 minutes")
  return options.retry === undefined
    ? RequeueDelays.linear(first, max)
    : RequeueDelays.fromSchedule(options.retry, first, max)
}

/** Limit for the end of a consumer. */
export const drainTimeout = <A, R>(options: ConsumerOptions<A, R>): Duration.Duration =>
  Duration.fromInputUnsafe(options.drainTimeout ?? "30 seconds")

/** Returns a checked number of messages in flight. */
export const maxInFlight = (given: number): number => {
  if (given >= 0) return Math.floor(given)
  throw new RangeError(`maxInFlight: ${given} is not a number of messages; use at least 0`)
}

const maxConcurrency = 1000

/** Returns a checked number of concurrent handlers, from 1 to 1000. */
export const concurrency = (given: number): number => {
  if (!Number.isNaN(given)) return Math.min(Math.max(1, Math.floor(given)), maxConcurrency)
  throw new RangeError("concurrency: NaN is not a number of handlers; use at least 1")
}
