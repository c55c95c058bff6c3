/**
 * Collects messages that are returned together into one batch: hundreds of thousands of separate objects would stop
 * everything else for longer than the messages themselves.
 *
 * Hot path: one copy per message and no object.
 */
import { MessageBatch, raiseAttempts } from "../../../protocol/client/MessageBatch.ts"

/** Bytes per batch: the memory that a single remaining message may retain. */
const batchBytesMax = 32 * 1024
/** Larger messages are returned in a batch of their own. */
const messageBytesMax = 4 * 1024

export class ReturnedMessages {
  private readonly frames: Buffer
  private used = 0
  private hasHeaders = false
  count = 0

  /** Room for at most `most` messages, of which the first has `first` bytes. */
  constructor(most: number, first: number) {
    this.frames = Buffer.allocUnsafeSlow(Math.min(batchBytesMax, most * first))
  }

  /** Whether a message may share a batch: messages that are also on disk are settled one by one. */
  static accepts(batch: MessageBatch, position: number): boolean {
    return !batch.isOnDisk && batch.frames.readInt32BE(position) + 4 <= messageBytesMax
  }

  /** Copies the message at `position` of the batch's frames, ready to be redelivered; false if it does not fit. */
  add(batch: MessageBatch, position: number): boolean {
    const { frames } = batch
    const size = frames.readInt32BE(position) + 4
    if (this.used + size > this.frames.length) return false
    frames.copy(this.frames, this.used, position, position + size)
    raiseAttempts(this.frames, this.used)
    if (batch.hasHeaders) this.hasHeaders = true
    this.used += size
    this.count++
    return true
  }

  /** The batch of the added messages; requires at least one. */
  toBatch(): MessageBatch {
    const { frames, hasHeaders, used } = this
    if (used === frames.length) return MessageBatch.ofFrames(frames, this.count, undefined, hasHeaders)
    const exact = Buffer.allocUnsafeSlow(used)
    frames.copy(exact, 0, 0, used)
    return MessageBatch.ofFrames(exact, this.count, undefined, hasHeaders)
  }
}
