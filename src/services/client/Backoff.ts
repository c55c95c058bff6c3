/**
 * When a consumer slows down because its handler fails (section 7 of the client notes): a level that rises with failures and
 * falls with successes, and how long to wait at each. Pure; the Consumer does the waiting.
 */

export interface BackoffSettings {
  /** Milliseconds that level 0 would wait; level n waits 2^n times as long. */
  readonly multiplierMillis: number
  /** The longest wait in ms; 0 for no backoff at all. */
  readonly maxMillis: number
}

/** What an answered message says of the handler. */
export type BackoffSignal = "backoff" | "resume" | "continue"

export class Backoff {
  private readonly settings: BackoffSettings
  private current = 0

  constructor(settings: BackoffSettings) {
    this.settings = settings
  }

  /** 0 while all is well. */
  get level(): number {
    return this.current
  }

  /** Milliseconds to wait at the level that holds now. */
  get waitMillis(): number {
    return Math.min(this.delay(this.current), this.settings.maxMillis)
  }

  /** Takes the outcome of a message into account; true when there is a reason to wait, or to leave backoff. */
  note(signal: BackoffSignal): boolean {
    const before = this.current
    if (signal === "backoff" && this.delay(this.current + 1) <= this.settings.maxMillis) this.current++
    if (signal === "resume" && this.current > 0) this.current--
    return this.current > 0 || before > 0
  }

  private delay(level: number): number {
    return this.settings.multiplierMillis * 2 ** level
  }
}
