/**
 * The input of a connection that is not decoded yet: the bytes of incomplete commands, joined in one buffer, and what arrived after
 * them. Pure; `CommandDecoder` extends it, so that its hot loops read these fields as its own.
 *
 * Hot path: a command that arrives in one piece is never copied, and the bytes of a command that arrives in many pieces are copied a
 * constant number of times.
 */
import type { PublishedBodies } from "./MessageBatch.ts"

/** Above this size the buffer of an incomplete command doubles; otherwise each small piece would copy all bytes before it. */
const doublingAbove = 4 * 1024
/** A message may retain a read buffer of this many times its own size; otherwise it is copied. */
const retentionFactor = 4

/** The buffer of a `CommandDecoder`, and how it grows. */
export abstract class CommandInput {
  protected buffer: Buffer = Buffer.alloc(0)
  protected position = 0
  protected end = 0
  /** Input, from `restPosition` on, after the bytes in `buffer` that complete a command. */
  private rest: Buffer | undefined
  private restPosition = 0
  /** The number of missing bytes of the command at `position`; 0 if it is unknown. */
  protected missing = 0
  protected ended = false

  /** The number of bytes received and not yet part of a command. */
  get buffered(): number {
    return this.end - this.position + (this.rest === undefined ? 0 : this.rest.length - this.restPosition)
  }

  /**
   * Adds input. The decoder owns `chunk` from now on; bodies are views of it. A command that is split is joined in new memory;
   * the bytes after it are not copied.
   */
  feed(chunk: Buffer): void {
    if (this.rest !== undefined) this.append(this.takeRest())
    const left = this.end - this.position
    if (left === 0) {
      this.buffer = chunk
      this.position = 0
      this.end = chunk.length
    } else if (this.missing > 0 && this.missing < chunk.length) {
      this.rest = chunk
      this.restPosition = this.missing
      this.append(chunk.subarray(0, this.missing))
    } else {
      this.append(chunk)
    }
  }

  private takeRest(): Buffer {
    const rest = this.rest?.subarray(this.restPosition) ?? this.buffer.subarray(0, 0)
    this.rest = undefined
    return rest
  }

  /** Appends bytes to those at `position`, in a buffer that grows with the input. */
  private append(bytes: Buffer): void {
    const left = this.end - this.position
    const size = left + bytes.length
    if (this.end + bytes.length > this.buffer.length) {
      // At most the size of the command if it is known, because its messages retain the whole buffer.
      const whole = this.missing > 0 ? left + this.missing : Infinity
      const room = size > doublingAbove ? Math.min(2 * size, Math.max(size, whole)) : size
      const grown = Buffer.allocUnsafeSlow(room)
      this.buffer.copy(grown, 0, this.position, this.end)
      this.buffer = grown
      this.position = 0
      this.end = left
    }
    bytes.copy(this.buffer, this.end)
    this.end += bytes.length
    this.missing = 0
  }

  /** Continues with `rest`; returns false if it is empty. */
  protected refill(): boolean {
    const { rest } = this
    if (rest === undefined) return false
    if (this.position === this.end) {
      this.buffer = rest
      this.position = this.restPosition
      this.end = rest.length
      this.rest = undefined
    } else {
      this.append(this.takeRest())
    }
    return true
  }

  /** Records the end of the input: an incomplete command is now an error. */
  finish(): void {
    this.ended = true
  }

  /** Returns the bodies as a view of the buffer, or as a copy if a few bytes would retain a large buffer. */
  protected bodies(start: number, end: number, gap: number, count: number, bodyBytes: number): PublishedBodies {
    if ((end - start) * retentionFactor >= this.buffer.length) {
      return { bytes: this.buffer, start, gap, count, bodyBytes }
    }
    return { bytes: Buffer.from(this.buffer.subarray(start, end)), start: 0, gap, count, bodyBytes }
  }
}
