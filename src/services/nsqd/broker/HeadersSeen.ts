/**
 * Whether a broker has had messages with headers. They may have a time-to-live of their own (docs/policies.md#time-to-live): expired
 * messages are not looked for before, unless a policy has one.
 */
import type { Effect } from "effect"
import { Wakeup } from "../../core/Wakeup.ts"

export class HeadersSeen {
  private readonly wakeup = new Wakeup()
  private isNoted = false

  get any(): boolean {
    return this.isNoted
  }

  note(): void {
    if (this.isNoted) return
    this.isNoted = true
    this.wakeup.call()
  }

  /** Completes at the first call of `note`, or at once after it. Only one fiber may wait. */
  get wait(): Effect.Effect<void> {
    return this.wakeup.wait
  }
}
