/**
 * Messages that come back together, as one batch: hundreds of thousands that time out at once would otherwise be as many
 * objects, and moving these about stops everything else for longer than dealing with the messages does.
 *
 * Hot path: a copy per message and no object.
 */
import { MessageBatch, raiseAttempts } from "../../../protocol/client/MessageBatch.ts"

/** Bytes of one batch: a message that stays keeps no more than this in memory. */
const batchBytesMax = 32 * 1024
/** Larger messages come back by themselves. */
const messageBytesMax = 4 * 1024

export class ReturnedMessages {
  private readonly frames: Buffer
  private used = 0
  count = 0

  /** For at most `most` messages, where the first is `first` bytes long. */
  constructor(most: number, first: number) {
    this.frames = Buffer.allocUnsafeSlow(Math.min(batchBytesMax, most * first))
  }

  /** Whether a message may come back with others: those that are on disk as well are settled one by one. */
  static accepts(batch: MessageBatch, position: number): boolean {
    return !batch.isOnDisk && batch.frames.readInt32BE(position) + 4 <= messageBytesMax
  }

  /** Copies the message at `position` of the batch's frames, ready to be delivered once more; false if it has no room. */
  add(batch: MessageBatch, position: number): boolean {
    const { frames } = batch
    const size = frames.readInt32BE(position) + 4
    if (this.used + size > this.frames.length) return false
    frames.copy(this.frames, this.used, position, position + size)
    raiseAttempts(this.frames, this.used)
    this.used += size
    this.count++
    return true
  }

  /** The messages added, of which there is at least one. */
  toBatch(): MessageBatch {
    const { frames, used } = this
    if (used === frames.length) return MessageBatch.ofFrames(frames, this.count)
    const exact = Buffer.allocUnsafeSlow(used)
    frames.copy(exact, 0, 0, used)
    return MessageBatch.ofFrames(exact, this.count)
  }
}
