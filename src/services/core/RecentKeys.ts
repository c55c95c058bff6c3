/**
 * Keys in the order in which they were noted, of which the oldest are forgotten.
 *
 * Hot path: called for every publish with a key. A Map has the same order, but iterating it from its start passes over all entries that
 * were deleted since it last grew: with 100,000 keys that takes a thousand times as long as the rest.
 */

/** Entries that are left in front before the arrays are made smaller. */
const leastLeft = 1024

export class RecentKeys {
  /** The number of each key's latest entry. */
  private readonly numbers = new Map<string, number>()
  /** Entries with their times. That of a key that was noted again counts no more. */
  private keys: Array<string> = []
  private times: Array<number> = []
  /** The oldest entry, and the number of the one at index 0. */
  private head = 0
  private first = 0

  get size(): number {
    return this.numbers.size
  }

  has(key: string): boolean {
    return this.numbers.has(key)
  }

  /** Adds a key at the end, or moves it there. */
  note(key: string, time: number): void {
    this.numbers.set(key, this.first + this.keys.length)
    this.keys.push(key)
    this.times.push(time)
  }

  /** Forgets the oldest keys until at most `most` are left and the next one was noted after `oldest`. */
  forget(most: number, oldest: number): void {
    const { keys, numbers, times } = this
    while (this.head < keys.length) {
      const key = keys[this.head]!
      if (numbers.get(key) === this.first + this.head) {
        if (numbers.size <= most && times[this.head]! > oldest) break
        numbers.delete(key)
      }
      this.head++
    }
    if (this.head >= leastLeft && 2 * this.head >= keys.length) this.compact()
  }

  clear(): void {
    this.numbers.clear()
    this.head = this.keys.length
    this.compact()
  }

  private compact(): void {
    this.keys = this.keys.slice(this.head)
    this.times = this.times.slice(this.head)
    this.first += this.head
    this.head = 0
  }
}
