/**
 * Message frames that leave in any order, in blocks of bytes. A block is freed when all of its frames have left.
 *
 * Hot path: one copy per frame and no object.
 */
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"

/** Size of the first block; each further one has twice the size, up to `blockBytesMax`. */
const firstBlockBytes = 512
/** The memory that a single remaining frame may retain. */
const blockBytesMax = 32 * 1024

interface Block {
  readonly bytes: Buffer
  used: number
  frames: number
}

/** A store of frames. A place is a number of a block times `blockBytesMax`, plus a position in it. */
export class FrameStore {
  private readonly blocks = new Map<number, Block>()
  /** The number of the block that is being filled. */
  private current = 0

  /** Copies the frame of a batch of one message, of at most `blockBytesMax`; returns its place. */
  add(batch: MessageBatch): number {
    const size = batch.framesBytes
    let block = this.blocks.get(this.current)
    if (block === undefined || block.used + size > block.bytes.length) {
      block = this.newBlock(size, block)
      this.blocks.set(++this.current, block)
    }
    const position = block.used
    batch.copyFrames(block.bytes, position)
    block.used += size
    block.frames++
    return this.current * blockBytesMax + position
  }

  /** The size of a frame, in bytes. */
  sizeAt(place: number): number {
    return this.blockOf(place).bytes.readInt32BE(place % blockBytesMax) + 4
  }

  /** The block with a frame, and the frame's position in it. */
  find(place: number): { readonly bytes: Buffer; readonly position: number } {
    return { bytes: this.blockOf(place).bytes, position: place % blockBytesMax }
  }

  /** Moves a frame to position `to` of `out`; returns its end. */
  take(place: number, out: Buffer, to: number): number {
    const block = this.blockOf(place)
    const position = place % blockBytesMax
    const end = position + block.bytes.readInt32BE(position) + 4
    block.bytes.copy(out, to, position, end)
    if (--block.frames === 0) this.blocks.delete(Math.floor(place / blockBytesMax))
    return to + end - position
  }

  clear(): void {
    this.blocks.clear()
  }

  private newBlock(size: number, before: Block | undefined): Block {
    const wished = before === undefined ? firstBlockBytes : 2 * before.bytes.length
    return { bytes: Buffer.allocUnsafeSlow(Math.max(size, Math.min(blockBytesMax, wished))), used: 0, frames: 0 }
  }

  private blockOf(place: number): Block {
    const block = this.blocks.get(Math.floor(place / blockBytesMax))
    if (block === undefined) throw new Error("invariant: a frame is in a block")
    return block
  }
}
