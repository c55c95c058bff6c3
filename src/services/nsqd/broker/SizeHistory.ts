/**
 * The sizes of a topic's newest messages, as sums at some points in the past: how many bytes the newest messages have, without a
 * number per message. Exact to about 1 % of the messages that wait.
 */

/** Points that are kept; with more, every second one is removed. */
const maxPoints = 256

export class SizeHistory {
  /** Messages and bytes published until each point. */
  private counts: Array<number> = []
  private sums: Array<number> = []

  /** Notes the totals after a publish; the newest `backlog` messages are not finished. */
  note(count: number, sum: number, backlog: number): void {
    this.counts.push(count)
    this.sums.push(sum)
    if (this.counts.length <= maxPoints) return
    let first = 0
    while (first + 1 < this.counts.length && this.counts[first + 1]! <= count - backlog) first++
    const isKept = (i: number): boolean => i === first || (i > first && (first > 0 || i % 2 === 1))
    this.counts = this.counts.filter((_, i) => isKept(i))
    this.sums = this.sums.filter((_, i) => isKept(i))
  }

  /**
   * The bytes of the newest `backlog` messages: of the `count` that were published, with `sum` bytes together, and of older ones, which
   * have `meanBefore` bytes each.
   */
  bytesOf(backlog: number, count: number, sum: number, meanBefore: number): number {
    if (backlog <= 0) return 0
    const from = count - backlog
    if (from < 0) return sum - from * meanBefore
    let low = 0
    let high = this.counts.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.counts[middle]! <= from) low = middle + 1
      else high = middle
    }
    // Messages that were published before the history began are as large as the mean.
    const before = low === 0 ? 0 : this.counts[low - 1]!
    const beforeSum = low === 0 ? 0 : this.sums[low - 1]!
    const after = low === this.counts.length ? count : this.counts[low]!
    const afterSum = low === this.counts.length ? sum : this.sums[low]!
    const part = after === before ? 0 : (from - before) / (after - before)
    return sum - (beforeSum + part * (afterSum - beforeSum))
  }
}
