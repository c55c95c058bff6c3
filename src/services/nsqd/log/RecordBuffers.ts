/**
 * Buffers for the records of commits, which are used again. A new buffer for each commit would cost page faults, and V8 would
 * mark the whole heap each time that some ten megabytes of them have been dropped: a third of the CPU time of publishing.
 *
 * Only buffers that nothing refers to any more may be given back: those of records that no channel has taken.
 *
 * Hot path: called once per record.
 */

/** Buffers have at least this size, in bytes, and at most `largest`; sizes are powers of two. */
const smallest = 1024
/** The largest size of a buffer that is used again. */
export const largest = 1024 * 1024
/** Bytes that wait to be used again. */
const stockBytes = 4 * 1024 * 1024

const smallestClass = 32 - Math.clz32(smallest - 1)

export class RecordBuffers {
  private readonly stock: Array<Array<Buffer>> = []
  private stocked = 0

  /** Bytes of the buffers that wait to be used again. */
  get bytes(): number {
    return this.stocked
  }

  /** Returns a buffer of at least `size` bytes with any content. */
  take(size: number): Buffer {
    if (size > largest) return Buffer.allocUnsafeSlow(size)
    const exponent = Math.max(smallestClass, 32 - Math.clz32(size - 1))
    const buffer = this.stock[exponent - smallestClass]?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(1 << exponent)
    this.stocked -= buffer.length
    return buffer
  }

  /** Takes back a buffer that `take` has returned, and that nothing refers to. */
  give(buffer: Buffer): void {
    const { length } = buffer
    if (length > largest || this.stocked + length > stockBytes) return
    const place = 31 - Math.clz32(length) - smallestClass
    const stock = this.stock[place] ??= []
    stock.push(buffer)
    this.stocked += length
  }
}
