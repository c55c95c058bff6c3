/**
 * Which messages of a log channels have finished since segments were looked at last, in parts of many messages: the segments of other
 * messages cannot have become removable.
 *
 * Hot path: `note` is called for every finished message. Most are in a part that was noted just before, by the same channel or another.
 */

/** Messages per part. */
const partSize = 1024
/** Of a longer range, all segments are looked at. */
const partsMost = 4096
/** Parts that are known to be noted, a power of two. Each has its place. */
const recentParts = 64
const noPart = -1

export class NewlyFinished {
  private readonly parts = new Set<number>()
  private readonly recent = new Float64Array(recentParts).fill(noPart)
  /** Whether all segments have to be looked at: before the first time, and after changes that are no finished messages. */
  private isEverything = true

  get isAll(): boolean {
    return this.isEverything
  }

  /** A channel has finished messages from `from` up to, but not including, `to`. */
  note(from: number, to: number): void {
    const part = Math.floor(from / partSize)
    if (this.recent[part & (recentParts - 1)] === part && to <= (part + 1) * partSize) return
    const last = Math.floor((to - 1) / partSize)
    if (last - part >= partsMost) return this.noteAll()
    for (let number = part; number <= last; number++) {
      this.parts.add(number)
      this.recent[number & (recentParts - 1)] = number
    }
  }

  /** A channel was deleted or moved. */
  noteAll(): void {
    this.isEverything = true
  }

  /** Calls `part` for each range with finished messages, and forgets them all. */
  take(part: (from: number, to: number) => void): void {
    for (const number of this.parts) part(number * partSize, (number + 1) * partSize)
    this.parts.clear()
    this.recent.fill(noPart)
    this.isEverything = false
  }
}
