/** When a failed publish or message is tried again: without types of Effect. */

/**
 * Delays that grow by a factor.
 *
 * @since 0.2.0
 * @category models
 */
export interface RetryOptions {
  /** Attempts after the first one. Default: no limit. */
  readonly times?: number
  /** Delay before the first retry in ms. */
  readonly delay: number
  /** Each further delay is this many times as long; 1 for equal delays. Default: 2. */
  readonly factor?: number
  /** Longest delay in ms. Default: 60,000 for publishes, `maxRequeueDelay` for messages. */
  readonly maxDelay?: number
}

/**
 * The delays of retries: growing ones, a list in ms with one retry for each, or a function that returns the delay in ms after an
 * attempt, counted from 1, or `undefined` to give up. The function may be called more than once for the same attempt.
 *
 * @since 0.2.0
 * @category models
 */
export type Retry = RetryOptions | ReadonlyArray<number> | ((attempt: number) => number | undefined)
