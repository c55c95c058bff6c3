/** FIFO queue over an array with lazy compaction. Taking is constant in time, amortised. */
export class Line<A> {
  private items: Array<A> = []
  private head = 0

  get length(): number {
    return this.items.length - this.head
  }
  get first(): A | undefined {
    return this.items[this.head]
  }
  push(item: A): void {
    this.items.push(item)
  }
  take(): A | undefined {
    const item = this.items[this.head]
    if (item === undefined) return undefined
    this.head++
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }
  *[Symbol.iterator](): Iterator<A> {
    for (let i = this.head; i < this.items.length; i++) yield this.items[i]!
  }
}
