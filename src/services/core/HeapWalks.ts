/**
 * Walks over the entries of a binary heap in steps, between which the heap changes. An entry that stays is visited at least once, and
 * more than once if others that leave move it up; one that is added or leaves meanwhile may be visited or not. Nothing is copied.
 *
 * Downward: the first entries, which leave meanwhile, move others to positions that are visited later. The few entries that an addition
 * moves to where a walk has been are visited at once.
 *
 * A heap makes its walks when the first one begins, so that others pay nothing.
 */

interface Walk {
  /** The entries below this position are not visited yet. */
  unvisited: number
  /** Gets an entry that a change moves to where the walk has been. */
  readonly missed: (at: number) => void
}

/** The walks over one heap. Their callbacks must not change the heap. */
export class HeapWalks {
  private readonly walks: Array<Walk> = []

  /** The entry at `from` is about to move down to `to`. */
  moveDown(from: number, to: number): void {
    for (const walk of this.walks) if (from < walk.unvisited && to >= walk.unvisited) walk.missed(from)
  }

  /** The heap has only `length` entries; those that were behind have moved up. */
  cut(length: number): void {
    for (const walk of this.walks) walk.unvisited = Math.min(walk.unvisited, length)
  }

  /** The heap has `length` entries, which were arranged anew: walks that have not ended begin again. */
  restart(length: number): void {
    for (const walk of this.walks) if (walk.unvisited > 0) walk.unvisited = length
  }

  /**
   * Visits all positions of a heap of this length, `most` in each step. The walk goes on until the generator ends: one that is given up
   * has to be ended with `return`.
   */
  *over(
    length: number,
    most: number,
    visit: (at: number) => void,
    missed: (at: number) => void = visit
  ): Generator<void, void> {
    const walk: Walk = { unvisited: length, missed }
    this.walks.push(walk)
    try {
      while (walk.unvisited > 0) {
        for (const to = Math.max(0, walk.unvisited - most); walk.unvisited > to;) visit(--walk.unvisited)
        yield
      }
    } finally {
      this.walks.splice(this.walks.indexOf(walk), 1)
    }
  }
}
