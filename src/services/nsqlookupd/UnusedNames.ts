/**
 * The topics and channels of nsqlookupd without producers, longest unused first. NSQ keeps them until an operator deletes them.
 * Here they are forgotten after a lifetime, or earlier if there are too many, so that names of former clients neither fill
 * memory nor count against the limits of others.
 */
export class UnusedNames<in out Key> {
  private readonly since = new Map<Key, number>()
  private readonly lifetimeMillis: number
  private readonly max: number
  private forgotten = 0

  /** A lifetime or a maximum of 0 means no limit. */
  constructor(lifetimeMillis: number, max: number) {
    this.lifetimeMillis = lifetimeMillis > 0 ? lifetimeMillis : Infinity
    this.max = max > 0 ? max : Infinity
  }

  /** Adds a name that lost its last producer, or has none yet. `now` in ms. */
  add(key: Key, now: number): void {
    this.since.delete(key)
    this.since.set(key, now)
  }

  delete(key: Key): void {
    this.since.delete(key)
  }

  /** Removes and yields the names to forget at the time `now`. */
  *forget(now: number): Generator<Key> {
    for (const [key, since] of this.since) {
      if (this.since.size <= this.max && now - since < this.lifetimeMillis) return
      this.since.delete(key)
      this.forgotten++
      yield key
    }
  }

  /** Returns how many names were forgotten since the last call. */
  takeForgotten(): number {
    const { forgotten } = this
    this.forgotten = 0
    return forgotten
  }
}
