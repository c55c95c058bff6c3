/**
 * Zeros ahead of what is written: a durable write of existing blocks writes no metadata, and takes a fraction of the time of one that
 * makes the file longer.
 */
import { Effect } from "effect"
import type { Disk } from "../disk/Disk.ts"

const piece = Buffer.alloc(256 * 1024)

/** Zeros must not be what fills the disk: at once they take at most this part of the free space. */
const share = 8

/** Buffers with this many zeros. They share memory. */
export const zeros = (size: number): ReadonlyArray<Buffer> => {
  const buffers = Array.from({ length: Math.floor(size / piece.length) }, () => piece)
  const rest = size % piece.length
  return rest > 0 ? [...buffers, piece.subarray(0, rest)] : buffers
}

/** Whether there is space for this many zeros in a directory; false if that is unknown because of an error. */
export const hasSpace = (disk: Disk["Service"], directory: string, size: number): Effect.Effect<boolean> =>
  Effect.match(disk.space(directory), {
    onFailure: () => false,
    // A total of 0 is unknown.
    onSuccess: ({ free, total }) => total === 0 || free >= size * share
  })
