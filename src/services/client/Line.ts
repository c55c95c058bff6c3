/**
 * FIFO queue in a ring of slots, which grows as needed. Adding and taking are constant in time, amortised, and a taken item is not
 * kept alive.
 */
export class Line<A> {
  /** As many slots as a power of two. */
  private slots: Array<A | undefined> = new Array<A | undefined>(16)
  private head = 0
  private count = 0

  get length(): number {
    return this.count
  }

  get first(): A | undefined {
    return this.slots[this.head]
  }

  push(item: A): void {
    if (this.count === this.slots.length) this.grow()
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = item
    this.count++
  }

  take(): A | undefined {
    const { head, slots } = this
    const item = slots[head]
    if (item === undefined) return undefined
    slots[head] = undefined
    this.head = (head + 1) & (slots.length - 1)
    this.count--
    return item
  }

  *[Symbol.iterator](): Iterator<A> {
    for (let i = 0; i < this.count; i++) yield this.slots[(this.head + i) & (this.slots.length - 1)]!
  }

  private grow(): void {
    const items = [...this]
    const slots = new Array<A | undefined>(2 * this.slots.length)
    for (const [i, item] of items.entries()) slots[i] = item
    this.slots = slots
    this.head = 0
  }
}
