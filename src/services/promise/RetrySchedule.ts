/** The Schedule of the client library for the retries of a program. */
import { Cause, Duration, Effect, Schedule } from "effect"
import type { Retry } from "./Retry.ts"

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
