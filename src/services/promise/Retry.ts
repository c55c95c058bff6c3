/** When a failed publish or message is tried again, without a Schedule of Effect. */
import { Cause, Duration, Effect, Schedule } from "effect"

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

const isList = (retry: Retry): retry is ReadonlyArray<number> => Array.isArray(retry)

/** Returns the delay after an attempt. */
const delays = (retry: Retry, longest: number): (attempt: number) => number | undefined => {
  if (typeof retry === "function") return retry
  if (isList(retry)) return (attempt) => retry[attempt - 1]
  const { delay, factor = 2, maxDelay = longest, times = Infinity } = retry
  return (attempt) => attempt > times ? undefined : Math.min(delay * factor ** (attempt - 1), maxDelay)
}

/** Returns the Schedule of the client library. It fails as the function of the program throws. */
export const scheduleOf = (retry: Retry, longest: number): Schedule.Schedule<number> => {
  const delayAfter = delays(retry, longest)
  return Schedule.fromStepWithMetadata(Effect.succeed(({ attempt }) =>
    Effect.suspend(() => {
      const delay = delayAfter(attempt)
      if (delay === undefined) return Cause.done(attempt)
      if (!(delay >= 0)) {
        throw new RangeError(`retry: the delay after attempt ${attempt} must be 0 or more, not ${delay}`)
      }
      return Effect.succeed<[number, Duration.Duration]>([attempt, Duration.millis(delay)])
    })
  ))
}
