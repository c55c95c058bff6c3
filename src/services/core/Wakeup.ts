/**
 * Wakes a fiber from synchronous code: any number of calls before the fiber runs wake it once, and it never runs inside the
 * call. (A Latch resumes its waiters at once, in the middle of its opener's work.)
 */
import { Effect } from "effect"

/** A wakeup of one fiber by synchronous code. */
export class Wakeup {
  private called = false
  private resume: (() => void) | undefined

  /** Wakes the waiting fiber, or the next fiber that waits, as soon as the running code is done. */
  readonly call = (): void => {
    if (this.called) return
    this.called = true
    this.resume?.()
  }

  /** Waits for a call, or consumes an earlier one. Only one fiber may wait at a time. */
  readonly wait: Effect.Effect<void> = Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      let waiting = true
      const done = (): void => {
        // The waiting fiber was interrupted after the call: the next fiber that waits gets the call.
        if (!waiting) return
        this.called = false
        resume(Effect.void)
      }
      if (this.called) return done()
      this.resume = () => {
        this.resume = undefined
        fiber.currentDispatcher.scheduleTask(done, 0)
      }
      return Effect.sync(() => {
        waiting = false
        this.resume = undefined
      })
    })
  )
}
