/**
 * How synchronous code wakes the fiber that has work: any number of calls before the fiber runs wake it once, and it never
 * runs inside the call. (A Latch resumes its waiters at once, in the middle of what its opener is doing.)
 */
import { Effect } from "effect"

export class Wakeup {
  private called = false
  private resume: (() => void) | undefined

  /** The waiting fiber, or the next one to wait, goes on as soon as the running code is done. */
  readonly call = (): void => {
    if (this.called) return
    this.called = true
    this.resume?.()
  }

  /** Waits for a call, or takes one that has come already. One fiber at a time. */
  readonly wait: Effect.Effect<void> = Effect.withFiber((fiber) =>
    Effect.callback<void>((resume) => {
      let waiting = true
      const done = (): void => {
        // A call that came for a fiber that was interrupted since is for whoever waits next.
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
