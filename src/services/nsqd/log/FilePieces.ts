/**
 * Reads files in pieces, so that a large file takes little memory.
 */
import { Effect } from "effect"
import type { Disk, DiskError } from "../disk/Disk.ts"

/** Bytes of a piece, unless more are needed at once. */
export const pieceBytes = 1024 * 1024

/** Where the next piece starts, and how many bytes it has at least, if the file has them; otherwise `pieceBytes`. */
export interface NextPiece {
  readonly position: number
  readonly atLeast: number
}

/**
 * Receives the bytes of a file from `position` on, which are valid until it returns; `size` is that of the file. Returns
 * `undefined` at the end. The next piece must start later, or have more bytes.
 */
export type PieceReader = (piece: Buffer, position: number, size: number) => NextPiece | undefined

/** Passes the pieces of a file to `read`, the first one from position 0 on. `most` is the usual size of a piece, in bytes. */
export const readPieces = (
  disk: Disk["Service"],
  path: string,
  read: PieceReader,
  most = pieceBytes
): Effect.Effect<void, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(path),
    (file) =>
      Effect.gen(function*() {
        let size = yield* file.size
        let buffer = Buffer.allocUnsafeSlow(Math.min(most, size))
        let next: NextPiece | undefined = { position: 0, atLeast: 0 }
        while (next !== undefined) {
          const { atLeast, position }: NextPiece = next
          const wanted = Math.max(0, Math.min(Math.max(most, atLeast), size - position))
          if (wanted > buffer.length) buffer = Buffer.allocUnsafeSlow(wanted)
          const count = yield* file.read(buffer.subarray(0, wanted), position)
          if (count < wanted) size = position + count
          next = read(buffer.subarray(0, count), position, size)
        }
      }),
    (file) => file.close
  )
