/**
 * A rate limit: messages take tokens, which come back at a rate per second, up to those of one second.
 */

export class TokenBucket {
  private tokens = Infinity
  private at = 0

  /** Refills at `rate` per second up to monotonic ms `now`. Returns how many messages may be published now. */
  available(rate: number, now: number): number {
    const capacity = Math.max(1, rate)
    this.tokens = Math.min(capacity, this.tokens + rate * Math.max(0, now - this.at) / 1000)
    this.at = now
    // A sum of fractions may be just below a whole number.
    return Math.floor(this.tokens + 1e-6)
  }

  /** Whether `count` messages may be published together after `available`. More than one second's worth needs all tokens. */
  allows(count: number, rate: number): boolean {
    return this.tokens + 1e-6 >= Math.min(count, Math.max(1, rate))
  }

  /** Whether it is as if nothing had been published before. */
  isFull(rate: number, now: number): boolean {
    this.available(rate, now)
    return this.tokens >= Math.max(1, rate)
  }

  take(count: number): void {
    this.tokens -= count
  }
}
