/**
 * The newest messages of a log in memory, so that channels that keep up do not read from disk. Bounded in bytes, for the log and
 * together with other logs; the oldest leave first.
 */
import type { LogBatch } from "./LogBatch.ts"
import type { LogMemory } from "./LogMemory.ts"

/** Bytes of frames per log. */
const tailBytes = 8 * 1024 * 1024

export class LogTail {
  private readonly memory: LogMemory
  private batches: Array<LogBatch> = []
  private head = 0
  private size = 0

  constructor(memory: LogMemory) {
    this.memory = memory
  }

  /** Bytes of frames. */
  get bytes(): number {
    return this.size
  }

  push(batch: LogBatch): void {
    const bytes = batch.frames.length
    this.batches.push(batch)
    this.size += bytes
    this.memory.grew(this, bytes)
    while (this.size > tailBytes) this.evict()
  }

  /** Drops the messages below `sequence`, which all channels have read. */
  trim(sequence: number): void {
    while (this.head < this.batches.length && this.batches[this.head]!.end <= sequence) this.evict()
  }

  /** Drops all messages. */
  clear(): void {
    while (this.size > 0) this.evict()
  }

  /** Drops the oldest batch. */
  evict(): void {
    const batch = this.batches[this.head]!
    const bytes = batch.frames.length
    this.size -= bytes
    this.head++
    if (this.head * 2 >= this.batches.length) {
      this.batches = this.batches.slice(this.head)
      this.head = 0
    }
    this.memory.shrank(this, bytes)
    batch.release(this.memory.buffers)
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
    if (batch === undefined || batch.first > sequence) return undefined
    batch.share()
    return batch
  }
}
