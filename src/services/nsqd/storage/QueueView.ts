/**
 * Reads the records of a disk queue that wait, without taking them. It has files of its own, so that the queue is read, and its files are
 * removed, meanwhile: what disappears is passed over.
 */
import { Effect, type Scope } from "effect"
import * as Path from "node:path"
import { checksumFileName, dataFileName, type QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { QueueRange } from "../../../protocol/storage/QueueState.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import type { ViewedRun, ViewReader } from "./BackendQueue.ts"
import type { QueueActivity } from "./QueueActivity.ts"
import { isBefore, type QueuePositions } from "./QueuePositions.ts"
import { QueueReader } from "./QueueReader.ts"

/** Opens a reader for a queue with these positions. `activity` is the state that the queue has while it is in use. */
export const openView = (
  disk: Disk["Service"],
  name: string,
  { dataPath, maxMsgSize }: { readonly dataPath: string; readonly maxMsgSize: number },
  positions: QueuePositions,
  activity: () => Pick<QueueActivity, "sealed" | "sums"> | undefined
): Effect.Effect<ViewReader, never, Scope.Scope> => {
  const paths = {
    data: (file: number) => Path.join(dataPath, dataFileName(name, file)),
    sums: (file: number) => Path.join(dataPath, checksumFileName(name, file))
  }
  const open = Effect.acquireRelease(
    Effect.sync(() => new QueueReader(disk, paths, maxMsgSize, reused())),
    (reader) => reader.close()
  )
  return Effect.map(open, (reader) => new Viewing(positions, activity, reader))
}

/** Returns bytes of this size: those of before, if they are enough. The collector is slow with large ones that are new each time. */
const reused = () => {
  let block = Buffer.alloc(0)
  return (size: number): Buffer => {
    if (block.length < size) block = Buffer.allocUnsafeSlow(size)
    return block.subarray(0, size)
  }
}

class Viewing implements ViewReader {
  private readonly positions: QueuePositions
  private readonly activity: () => Pick<QueueActivity, "sealed" | "sums"> | undefined
  private readonly reader: QueueReader

  constructor(
    positions: QueuePositions,
    activity: () => Pick<QueueActivity, "sealed" | "sums"> | undefined,
    reader: QueueReader
  ) {
    this.positions = positions
    this.activity = activity
    this.reader = reader
  }

  read(from: QueuePosition, to: QueuePosition, maxBytes: number): Effect.Effect<ViewedRun | undefined, StorageError> {
    return Effect.gen({ self: this }, function*() {
      let place = from
      while (true) {
        const part = this.positions.partFrom(place)
        if (part === undefined || !isBefore({ file: part.file, offset: part.from }, to)) return undefined
        const read = yield* this.readPart(part, to, maxBytes)
        if ("starts" in read) return read
        place = read
      }
    }).pipe(Effect.mapError(StorageError.fromDisk))
  }

  /** Reads the first records of a part; returns the place behind the part if it has no readable record. */
  private readPart(
    { file, from, to: partEnd }: QueueRange,
    to: QueuePosition,
    maxBytes: number
  ): Effect.Effect<ViewedRun | QueuePosition, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { positions: { tail }, reader } = this
      const opened = yield* reader.fileFor(file)
      const fileEnd = this.activity()?.sealed.get(file) ??
        (file === tail.file ? tail.offset : yield* reader.sizeOf(opened))
      const end = Math.min(partEnd, fileEnd, file === to.file ? to.offset : Infinity)
      if (from >= end) return this.behind(file, partEnd)
      // Records that were just written have no checksums on disk yet.
      const unverifiedFrom = this.activity()?.sums.pendingFrom(file) ?? Infinity
      const result = yield* reader.read(opened, from, end, maxBytes, unverifiedFrom)
      if (result._tag === "Damage") return { file, offset: Math.max(result.next, from + 1) }
      return { place: { file, offset: from }, bytes: result.bytes, starts: result.starts }
    }).pipe(
      // All messages of the file are settled, and it was removed.
      Effect.catchIf(({ code }) => code === "ENOENT", () => Effect.succeed(this.behind(file, partEnd)))
    )
  }

  private behind(file: number, partEnd: number): QueuePosition {
    return partEnd === Infinity ? this.positions.after(file) : { file, offset: partEnd }
  }
}
