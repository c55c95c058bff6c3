/**
 * The newest messages of a log in memory, so that channels that keep up do not read from disk. Bounded in bytes; the oldest
 * leave first.
 */
import type { LogBatch } from "./LogBatch.ts"

/** Bytes of frames per log. */
const tailBytes = 8 * 1024 * 1024

export class LogTail {
  private batches: Array<LogBatch> = []
  private head = 0
  private bytes = 0

  push(batch: LogBatch): void {
    this.batches.push(batch)
    this.bytes += batch.frames.length
    while (this.bytes > tailBytes) this.drop()
  }

  /** Drops the messages below `sequence`, which all channels have read. */
  trim(sequence: number): void {
    while (this.head < this.batches.length && this.batches[this.head]!.end <= sequence) this.drop()
  }

  private drop(): void {
    this.bytes -= this.batches[this.head]!.frames.length
    this.head++
    if (this.head * 2 < this.batches.length) return
    this.batches = this.batches.slice(this.head)
    this.head = 0
  }

  /** The batch with the message, if it is in memory. */
  find(sequence: number): LogBatch | undefined {
    const { batches } = this
    let low = this.head
    let high = batches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (batches[middle]!.end <= sequence) low = middle + 1
      else high = middle
    }
    const batch = batches[low]
    return batch !== undefined && batch.first <= sequence ? batch : undefined
  }
}
