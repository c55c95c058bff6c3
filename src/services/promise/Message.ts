/** A message that a consumer of `effect-nsq/promise` received. */

/**
 * A message. It is acknowledged once: the first finish, requeue or reject counts. `A` is the type of its value.
 *
 * @since 0.2.0
 * @category models
 */
export interface Message<A = Buffer> {
  /** 16 characters, unique in the topic. */
  readonly id: string
  /** Time at which nsqd accepted the message, in nanoseconds since the Unix epoch. */
  readonly timestamp: bigint
  /** Number of deliveries, including this one. */
  readonly attempts: number
  readonly body: Buffer
  /** What `decode` of the consumer's options returned; without it, the body. */
  readonly value: A
  /** The headers of the message by name, in lower case; empty without headers. */
  readonly headers: Readonly<Record<string, string>>
  /** Address of the nsqd that sent it, `host:port`. */
  readonly address: string
  /** Time at which nsqd redelivers the message unless it is acknowledged or touched, in milliseconds since the Unix epoch. */
  readonly deadline: number
  /** Whether the program has finished, requeued or rejected it. */
  readonly hasResponded: boolean
  /** Returns the body as a string in UTF-8. */
  readonly text: () => string
  /** Returns the body decoded as JSON. Throws a `SyntaxError` if it is not JSON. */
  readonly json: () => unknown
  /** Acknowledges the message as processed. */
  readonly finish: () => void
  /** Returns the message to nsqd for redelivery. */
  readonly requeue: (options?: RequeueOptions) => void
  /**
   * Gives the message up for this reason, of at most 256 characters, by default `rejected`: nsqd makes it a dead letter after
   * `onGivenUp`. At a server that has no dead letters, such as NSQ's nsqd, the consumer publishes it to `deadLetter`, if there is one, and
   * finishes it. The consumer does not back off.
   */
  readonly reject: (reason?: string) => void
  /** Restarts the timeout of the message. Consumers do this themselves unless `autoTouch` is false. */
  readonly touch: () => void
}

/**
 * Options of a requeue.
 *
 * @since 0.2.0
 * @category models
 */
export interface RequeueOptions {
  /** Delay of the redelivery in ms. Default: `defaultRequeueDelay` times the attempts. */
  readonly delay?: number
  /** Whether the consumer backs off: takes messages more slowly until some succeed. Default: true. */
  readonly backoff?: boolean
}

/**
 * What a consumer does with a message whose handler failed, or whose body cannot be decoded.
 *
 * - `finish` acknowledges it as processed.
 * - `requeue` returns it to nsqd. After `maxAttempts` deliveries it is given up instead.
 * - `giveUp` publishes it to `deadLetter`, if there is one, calls `onGivenUp` and finishes it.
 * - `reject` is the same, but nsqd makes it a dead letter with the reason, by default the message of the error, if it has dead letters.
 *
 * @since 0.2.0
 * @category models
 */
export type Decision =
  | { readonly action: "finish" }
  | ({ readonly action: "requeue" } & RequeueOptions)
  | { readonly action: "giveUp" }
  | { readonly action: "reject"; readonly reason?: string }
