/**
 * The monotonic clock, read once in each turn of the event loop, for work that arrives in thousands at once: to read it for each publish
 * with a key took a tenth of the time of the publish.
 */
import { Effect, Scheduler } from "effect"
import type { Time } from "./Time.ts"

export class TurnClock {
  private readonly time: Time
  private readonly atNextTurn: (task: () => void) => void
  private reading = 0
  private isRead = false

  private constructor(time: Time, atNextTurn: (task: () => void) => void) {
    this.time = time
    this.atNextTurn = atNextTurn
  }

  /** A clock whose turns are those of the calling fiber's scheduler. */
  static readonly make = (time: Time): Effect.Effect<TurnClock> =>
    Effect.map(Scheduler.Scheduler, (scheduler) => {
      const dispatcher = scheduler.makeDispatcher()
      return new TurnClock(time, (task) => dispatcher.scheduleTask(task, 0))
    })

  /** Milliseconds as of `Time.monotonicMillis`, when this was called first in this turn. */
  monotonicMillis(): number {
    if (!this.isRead) {
      this.isRead = true
      this.reading = this.time.monotonicMillis()
      this.atNextTurn(this.endTurn)
    }
    return this.reading
  }

  private readonly endTurn = (): void => {
    this.isRead = false
  }
}
