/**
 * The delay of a requeue by the number of deliveries: linear as in NSQ's clients, or by a Schedule. nsqd counts the deliveries,
 * so that the delay does not depend on the consumer that receives a message again.
 */
import { Cause, Duration, Effect, Schedule } from "effect"

/** The delay after a number of deliveries. */
export interface RequeueDelay {
  readonly millis: number
  /** Whether the Schedule had ended before: the message is to be given up. */
  readonly hasEnded: boolean
}

/** Returns the delay after a number of deliveries, at least 1. */
export type RequeueDelays = (attempts: number) => Effect.Effect<RequeueDelay>

/** Returns delays of `first` times the deliveries, at most `max`, in ms. */
export const linear = (first: number, max: number): RequeueDelays => (attempts) =>
  Effect.succeed({ millis: Math.min(first * attempts, max), hasEnded: false })

/** Steps of a Schedule for one message; later deliveries have the delay of the last step. */
const maxSteps = 1000

/**
 * Returns the delays of a Schedule, at most `max` ms. The Schedule begins anew for each message and takes one step per delivery on
 * a clock that advances by the delays only. Once it has ended, the delay is that of its last step, or `first` without a step. The
 * delays of a Schedule that dies are linear; the defect is logged.
 */
export const fromSchedule = (schedule: Schedule.Schedule<unknown>, first: number, max: number): RequeueDelays => {
  const walk = Effect.fnUntraced(function*(attempts: number) {
    const step = yield* Schedule.toStep(schedule)
    let millis = Math.min(first, max)
    let now = 0
    for (let i = 0; i < Math.min(attempts, maxSteps); i++) {
      const delay = yield* step(now, undefined).pipe(
        Effect.map(([, delay]) => Math.min(Duration.toMillis(delay), max)),
        Effect.catchIf(Cause.isDone, () => Effect.void)
      )
      if (delay === undefined) return { millis, hasEnded: true }
      millis = delay
      now += delay
    }
    return { millis, hasEnded: false }
  })
  const otherwise = linear(first, max)
  return (attempts) =>
    Effect.catchDefect(walk(attempts), (defect) =>
      Effect.andThen(
        Effect.logError("the Schedule of retries failed, using the default delay", defect),
        otherwise(attempts)
      ))
}
