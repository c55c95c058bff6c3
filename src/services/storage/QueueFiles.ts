/**
 * The data files of a disk queue as its writer sees them: records go where the queue ends, files are rolled as they fill, and
 * what a failed write left behind is taken back. One fiber uses it at a time. It knows nothing of reading, metadata and depth.
 */
import { Effect } from "effect"
import { type QueuePosition, walkRecords } from "../../protocol/DiskQueueFormat.ts"
import type { Disk, DiskError, DiskFile } from "./Disk.ts"
import type { RecordRun } from "./Storage.ts"

export interface QueueFiles {
  /** Where the next record goes. */
  readonly end: () => QueuePosition
  /** Moves the end, to a file that has nothing behind that position. */
  readonly moveTo: (position: QueuePosition) => Effect.Effect<void>
  /** Writes records; true when a file was finished, which is synced then. */
  readonly write: (runs: ReadonlyArray<RecordRun>) => Effect.Effect<boolean, DiskError>
  readonly sync: Effect.Effect<void, DiskError>
  /** Takes back everything written after `before`, because of `error`. The end may be in another file then. */
  readonly takeBack: (before: QueuePosition, error: DiskError) => Effect.Effect<void>
  /** Where a finished file's valid part ends, if that is not its own end. */
  readonly sealedAt: (file: number) => number | undefined
  readonly close: Effect.Effect<void>
}

export const make = (
  disk: Disk["Service"],
  pathOf: (file: number) => string,
  maxBytesPerFile: number,
  start: QueuePosition
): QueueFiles => {
  let end = start
  let open: { readonly number: number; readonly file: DiskFile } | undefined
  let unsynced = false
  /** Files whose tail could not be cut off after a failed write. */
  const sealed = new Map<number, number>()

  const close = Effect.suspend(() => {
    const closing = open
    open = undefined
    return closing === undefined ? Effect.void : closing.file.close
  })

  const fileFor = (number: number) =>
    Effect.suspend(() => {
      if (open !== undefined && open.number === number) return Effect.succeed(open.file)
      return Effect.andThen(
        close,
        Effect.tap(disk.create(pathOf(number)), (file) =>
          Effect.sync(() => {
            open = { number, file }
          }))
      )
    })

  const sync = Effect.suspend(() => open === undefined || !unsynced ? Effect.void : open.file.sync).pipe(
    Effect.tap(() => Effect.sync(() => void (unsynced = false)))
  )

  /** The part of a run that still fits into a file of `offset` bytes; a record larger than a file gets one of its own. */
  const fitting = (run: RecordRun, offset: number): { readonly end: number; readonly count: number } => {
    const room = maxBytesPerFile - offset
    if (run.end - run.start <= room) return { end: run.end, count: run.count }
    const bytes = bufferOf(run.bytes)
    const { count, end } = walkRecords(bytes, run.start, run.end, Infinity, run.start + room)
    if (count > 0 || offset > 0) return { end, count }
    return { end: run.start + 4 + bytes.readInt32BE(run.start), count: 1 }
  }

  const write = Effect.fnUntraced(function*(runs: ReadonlyArray<RecordRun>) {
    let buffers: Array<Uint8Array> = []
    let size = 0
    let rolled = false
    const put = Effect.suspend(() => {
      if (size === 0) return Effect.void
      const [pending, at] = [buffers, end]
      unsynced = true
      return Effect.tap(
        Effect.flatMap(fileFor(at.file), (file) => file.write(pending, at.offset)),
        () =>
          Effect.sync(() => {
            end = { file: at.file, offset: at.offset + size }
            buffers = []
            size = 0
          })
      )
    })
    for (let run of runs) {
      while (run.count > 0) {
        const part = fitting(run, end.offset + size)
        if (part.count > 0) {
          const isWhole = run.start === 0 && part.end === run.bytes.length
          buffers.push(isWhole ? run.bytes : run.bytes.subarray(run.start, part.end))
          size += part.end - run.start
        }
        run = { bytes: run.bytes, start: part.end, end: run.end, count: run.count - part.count }
        if (run.count === 0) continue
        yield* put
        yield* sync
        end = { file: end.file + 1, offset: 0 }
        rolled = true
      }
    }
    yield* put
    return rolled
  })

  const takeBack = Effect.fnUntraced(function*(before: QueuePosition, error: DiskError) {
    const last = end.file
    yield* close
    end = before
    for (let file = before.file + 1; file <= last; file++) yield* Effect.ignore(disk.remove(pathOf(file)))
    if (before.offset === 0) return yield* Effect.ignore(disk.remove(pathOf(before.file)))
    const cut = Effect.acquireUseRelease(
      disk.create(pathOf(before.file)),
      (file) => file.truncate(before.offset),
      (file) => file.close
    )
    const next = { file: before.file + 1, offset: 0 }
    yield* Effect.catch(cut, () =>
      Effect.sync(() => {
        sealed.set(before.file, before.offset)
        end = next
      }))
    // After a failed sync nobody knows what of the file is on the disk: nothing more is added to it.
    if (error.operation === "fsync") end = next
  })

  return {
    end: () => end,
    moveTo: (position) =>
      Effect.suspend(() => {
        end = position
        return close
      }),
    write,
    sync,
    takeBack,
    sealedAt: (file) => sealed.get(file),
    close
  }
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
