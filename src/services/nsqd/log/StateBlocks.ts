/**
 * Reads the blocks of a state file, a piece of the file at a time.
 */
import { Effect } from "effect"
import {
  findStateHeader,
  readStateBlock,
  type StateBlock,
  type StateBlockKind,
  stateBlockSize,
  stateHeaderSize
} from "../../../protocol/storage/LogState.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import { type NextPiece, readPieces } from "./FilePieces.ts"

/** Bytes of a state file without a valid block. */
export interface StateHole {
  readonly from: number
  readonly to: number
  /** Whether all of them are zero. */
  readonly isZero: boolean
}

/** The blocks of a state file. */
export interface StateBlocks {
  /** Whether the file begins with a checkpoint or a part of one. */
  readonly hasStart: boolean
  /** Whether the whole checkpoint is there. */
  readonly isComplete: boolean
  /** Where it ends, in bytes; 0 if it is not there. */
  readonly checkpointSize: number
  readonly holes: ReadonlyArray<StateHole>
  /** The size of the file, in bytes. */
  readonly size: number
}

/** Receives a block and its position, and returns whether it could be used. The block is valid until then. */
export type EachBlock = (block: StateBlock, position: number) => boolean

class Walk implements StateBlocks {
  hasStart = false
  isComplete = false
  checkpointSize = 0
  size = 0
  readonly holes: Array<StateHole> = []
  private readonly each: EachBlock
  /** Where the bytes without a valid block begin that were read last. */
  private hole: number | undefined
  private isZero = true

  constructor(each: EachBlock) {
    this.each = each
  }

  step(piece: Buffer, position: number, fileSize: number): NextPiece | undefined {
    const isEnd = position + piece.length >= fileSize
    this.size = fileSize
    let at = 0
    while (at < piece.length) {
      const size = stateBlockSize(piece, at)
      if (size !== undefined && at + size > piece.length && position + at + size <= fileSize) {
        return { position: position + at, atLeast: size }
      }
      const block = readStateBlock(piece, at)
      if (block !== undefined && this.each(block, position + at)) {
        this.note(block.kind, position + at, position + block.end)
        at = block.end
        continue
      }
      const found = findStateHeader(piece, at + 1)
      // A header may lie across two pieces.
      const to = found >= 0 ? found : isEnd ? piece.length : Math.max(at, piece.length - stateHeaderSize + 1)
      this.pass(piece.subarray(at, to), position + at)
      at = to
      if (found < 0 && !isEnd) break
    }
    if (!isEnd) return { position: position + at, atLeast: 0 }
    this.closeHole(fileSize)
    return undefined
  }

  private note(kind: StateBlockKind, position: number, end: number): void {
    this.closeHole(position)
    if (position === 0) this.hasStart = kind !== "changes"
    if (!this.hasStart || kind !== "checkpoint" || this.holes.length > 0) return
    this.isComplete = true
    this.checkpointSize = end
  }

  private pass(bytes: Buffer, position: number): void {
    this.hole ??= position
    this.isZero &&= bytes.every((byte) => byte === 0)
  }

  private closeHole(to: number): void {
    if (this.hole !== undefined && this.hole < to) this.holes.push({ from: this.hole, to, isZero: this.isZero })
    this.hole = undefined
    this.isZero = true
  }
}

/**
 * Passes the valid blocks of a state file to `each`. Changes do not depend on the ones before, so that a damaged block does not
 * make those behind it useless. `pieceBytes` is the usual size of a read, by default 1 MiB.
 */
export const readStateBlocks = (
  disk: Disk["Service"],
  path: string,
  each: EachBlock,
  pieceBytes?: number
): Effect.Effect<StateBlocks, DiskError> =>
  Effect.suspend(() => {
    const walk = new Walk(each)
    const step = (piece: Buffer, position: number, size: number) => walk.step(piece, position, size)
    return Effect.as(readPieces(disk, path, step, pieceBytes), walk)
  })
