/**
 * The backoff of a consumer whose handler fails (docs/protocol/library.md#backoff): a level that rises with failures and falls
 * with successes, and the wait of each level. Pure; the Consumer does the waiting.
 */

export interface BackoffSettings {
  /** Wait of level 0 in ms; level n waits 2^n times as long. */
  readonly multiplierMillis: number
  /** Longest wait in ms; 0 disables backoff. */
  readonly maxMillis: number
}

/** The effect of a message's result on the level: a rise, a fall, or none. */
export type BackoffSignal = "backoff" | "resume" | "continue"

export class Backoff {
  private readonly settings: BackoffSettings
  private current = 0

  constructor(settings: BackoffSettings) {
    this.settings = settings
  }

  /** The current level; 0 outside of backoff. */
  get level(): number {
    return this.current
  }

  /** Wait of the current level in ms. */
  get waitMillis(): number {
    return Math.min(this.delay(this.current), this.settings.maxMillis)
  }

  /** Records the result of a message. Returns true if the consumer is in backoff or has just left it. */
  note(signal: BackoffSignal): boolean {
    const before = this.current
    const { maxMillis } = this.settings
    if (signal === "backoff" && maxMillis > 0 && this.delay(this.current + 1) <= maxMillis) this.current++
    if (signal === "resume" && this.current > 0) this.current--
    return this.current > 0 || before > 0
  }

  private delay(level: number): number {
    return this.settings.multiplierMillis * 2 ** level
  }
}
