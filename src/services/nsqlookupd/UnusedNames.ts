/**
 * The topics and channels that nsqlookupd knows although no producer has them, the longest unused first. NSQ keeps them until
 * somebody deletes them; here they are forgotten after a time, and earlier when there are too many, so that names from clients
 * that are gone never keep memory or others' names out.
 */
export class UnusedNames<in out Key> {
  private readonly since = new Map<Key, number>()
  private readonly lifetimeMillis: number
  private readonly max: number
  private forgotten = 0

  /** A lifetime or a maximum of 0 is none. */
  constructor(lifetimeMillis: number, max: number) {
    this.lifetimeMillis = lifetimeMillis > 0 ? lifetimeMillis : Infinity
    this.max = max > 0 ? max : Infinity
  }

  /** No producer has the name any more, or yet. */
  add(key: Key, now: number): void {
    this.since.delete(key)
    this.since.set(key, now)
  }

  delete(key: Key): void {
    this.since.delete(key)
  }

  /** Takes out the names to be forgotten at the time `now`, one by one. */
  *forget(now: number): Generator<Key> {
    for (const [key, since] of this.since) {
      if (this.since.size <= this.max && now - since < this.lifetimeMillis) return
      this.since.delete(key)
      this.forgotten++
      yield key
    }
  }

  /** How many names were taken out since the last call. */
  takeForgotten(): number {
    const { forgotten } = this
    this.forgotten = 0
    return forgotten
  }
}
