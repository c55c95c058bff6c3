/** Intrusive doubly linked lists: adding and removing take constant time, and allocate nothing. */

/** A member of at most one chain. */
export class ChainLink<A extends ChainLink<A>> {
  /** The neighbours; owned by the chain. */
  before: A | undefined
  after: A | undefined
  chain: Chain<A> | undefined
}

/** A list whose members know their place in it. */
export class Chain<A extends ChainLink<A>> {
  first: A | undefined
  private last: A | undefined

  get isEmpty(): boolean {
    return this.first === undefined
  }

  push(link: A): void {
    link.chain = this
    link.before = this.last
    if (this.last === undefined) this.first = link
    else this.last.after = link
    this.last = link
  }

  pushFront(link: A): void {
    link.chain = this
    link.after = this.first
    if (this.first === undefined) this.last = link
    else this.first.before = link
    this.first = link
  }

  /** Removes a member; does nothing if it is not one. */
  remove(link: A): void {
    if (link.chain !== this) return
    const { after, before } = link
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    link.chain = undefined
    link.before = undefined
    link.after = undefined
  }

  /** Removes and returns the first member. */
  take(): A | undefined {
    const { first } = this
    if (first !== undefined) this.remove(first)
    return first
  }
}
