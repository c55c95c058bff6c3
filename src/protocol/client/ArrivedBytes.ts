/**
 * A contiguous buffer for bytes that have arrived and are not decoded yet. Adding takes amortised constant time per byte, even if
 * a peer sends tiny pieces; the buffer takes at most twice the memory of its bytes.
 */
export class ArrivedBytes {
  private buffer: Buffer = Buffer.alloc(0)
  private start = 0
  private end = 0

  get length(): number {
    return this.end - this.start
  }

  /** A view of all bytes. It does not change when bytes are added or dropped. */
  get all(): Buffer {
    return this.buffer.subarray(this.start, this.end)
  }

  /** A view of the bytes from `from` to `end`; see `all`. */
  view(from: number, end: number): Buffer {
    return this.buffer.subarray(this.start + from, this.start + end)
  }

  /** The big-endian integer at `at`, of whose bytes all have arrived. */
  int32At(at: number): number {
    return this.buffer.readInt32BE(this.start + at)
  }

  /** Adds a copy of these bytes. */
  add(bytes: Uint8Array): void {
    const { length } = this
    if (this.end + bytes.length > this.buffer.length) {
      // A new buffer: views of the old one may be in use.
      const size = length === 0 ? bytes.length : Math.max(2 * length, length + bytes.length)
      const larger = Buffer.allocUnsafe(size)
      this.buffer.copy(larger, 0, this.start, this.end)
      this.buffer = larger
      this.start = 0
      this.end = length
    }
    this.buffer.set(bytes, this.end)
    this.end += bytes.length
  }

  /** Whether the bytes from `from` on, of which enough have arrived, are `expected`. */
  matches(expected: Uint8Array, from: number): boolean {
    const { buffer } = this
    const at = this.start + from
    for (let i = 0; i < expected.length; i++) if (buffer[at + i] !== expected[i]) return false
    return true
  }

  /** Removes the first `count` bytes. */
  drop(count: number): void {
    this.start += count
  }
}
