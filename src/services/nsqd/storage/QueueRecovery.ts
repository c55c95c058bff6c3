/**
 * What a disk queue finds when it is opened: where to read, where to write, about how many messages there are. Positions and
 * files count, not the depth: after a crash the saved state is older than the files, so everything behind the saved write
 * position is found, nothing that was written is overwritten, and a read position in a file that has been deleted since moves
 * to the next file. NSQ overwrites the first file when the metadata is missing.
 */
import { Effect, Result } from "effect"
import { decodeQueueMetadata, type QueuePosition, walkRecords } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { Disk, DiskError } from "./Disk.ts"
import type { QueueInventory } from "./QueueInventory.ts"
import { type FoundPositions, nothingFound } from "./QueuePositions.ts"
import { isPaired, type LoadedState } from "./StateFile.ts"

export interface RecoveredQueue extends FoundPositions {
  /** Files of which nothing is needed: a crash came before they were removed. */
  readonly finished: ReadonlyArray<number>
  /** Whether the checksum files belong to the data files: they do not when NSQ's nsqd has written meanwhile. */
  readonly trustsChecksums: boolean
  /** The last file's valid part, when a torn record behind it has to be cut off. */
  readonly torn: QueuePosition | undefined
  /** Whether this differs from the saved state. */
  readonly changed: boolean
}

type Saved = Pick<RecoveredQueue, "depth" | "read" | "write" | "unsettled">

const scanBytes = 1024 * 1024

/** The state to start from: ours, or NSQ's metadata when its nsqd has used the queue since. */
const savedState = (loaded: LoadedState): { readonly saved: Saved | undefined; readonly problem?: string } => {
  const { metadata, state } = loaded
  if (state !== undefined && isPaired(loaded)) return { saved: state }
  if (metadata === undefined) return { saved: state }
  const decoded = decodeQueueMetadata(metadata)
  if (decoded === undefined) return { saved: state, problem: "failed to retrieveMetaData - not three lines of numbers" }
  const { read, write } = decoded
  if (!isBefore(write, read)) return { saved: { ...decoded, unsettled: [] } }
  return {
    saved: undefined,
    problem: `read position ${read.file},${read.offset} is beyond the write position ${write.file},${write.offset}`
  }
}

/** NSQ's file alone will do where there is no state; a state that was not synced may be newer than that file. */
const isRecorded = ({ metadata, state }: LoadedState): boolean =>
  state === undefined ? metadata !== undefined : state.isSynced

/** Nothing is recent in a queue that was closed, or that NSQ's nsqd has used since. */
const recentOf = (loaded: LoadedState, write: QueuePosition): QueuePosition =>
  isPaired(loaded) ? loaded.state?.recent ?? write : write

const isBefore = (a: QueuePosition, b: QueuePosition): boolean =>
  a.file < b.file || (a.file === b.file && a.offset < b.offset)

/**
 * The positions of a queue that was closed in order: the size of its last file says that nothing came after the saved state.
 * `undefined` when there is more to find out. Plain, because a start opens thousands of queues, nearly all of them so.
 */
export const closedQueue = (
  disk: Disk["Service"],
  pathOf: (file: number) => string,
  { data, sums }: QueueInventory,
  loaded: LoadedState
): FoundPositions | undefined => {
  const { problem, saved } = savedState(loaded)
  const [first] = data
  if (saved === undefined) {
    return problem === undefined && first === undefined && sums.length === 0 ? nothingFound : undefined
  }
  const { depth, read, unsettled, write } = saved
  const last = data.at(-1)
  const isWhole = problem === undefined && isRecorded(loaded) && (sums.length === 0 || isPaired(loaded)) &&
    unsettled.length === 0 && !isBefore(write, read) && (first === undefined || first >= read.file) &&
    (last === undefined || last <= write.file) && (read.file === write.file || data.includes(read.file))
  if (!isWhole) return undefined
  const found = { depth, read, write, unsettled, recent: recentOf(loaded, write) }
  if (last !== write.file) return write.offset === 0 ? found : undefined
  const tail = disk.readStart(pathOf(last), 0)
  return Result.isSuccess(tail) && tail.success?.size === write.offset ? found : undefined
}

/** Finds what the files hold behind the saved write position. Writes nothing. */
export const recoverQueue = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  label: string,
  pathOf: (file: number) => string,
  maxMsgSize: number,
  inventory: QueueInventory,
  loaded: LoadedState
): Effect.fn.Return<RecoveredQueue, DiskError> {
  const { data: files } = inventory
  const { problem, saved } = savedState(loaded)
  if (problem !== undefined) yield* Effect.logError(`${label} ${problem}`)
  const trustsChecksums = isPaired(loaded)
  const last = files.at(-1)
  const [first] = files

  if (saved === undefined) {
    const start = { file: first ?? 0, offset: 0 }
    if (last === undefined) {
      const unsettled = { unsettled: [], finished: [], trustsChecksums, torn: undefined }
      return { depth: 0, read: start, write: start, recent: start, ...unsettled, changed: false }
    }
    yield* Effect.logWarning(`${label} has no metadata, recovering from ${files.length} data files`)
    const found = yield* scan(disk, pathOf, maxMsgSize, files, start)
    const write = { file: last + 1, offset: 0 }
    return {
      depth: found.count,
      read: start,
      write,
      recent: write,
      unsettled: [],
      finished: [],
      trustsChecksums,
      torn: found.torn,
      changed: true
    }
  }

  const present = new Set(files)
  const unsettled = saved.unsettled.filter(({ file }) => present.has(file))
  const needed = new Set(unsettled.map(({ file }) => file))
  // The highest number that any saved position refers to: a lower one is never given to a new file.
  const highest = Math.max(saved.read.file, saved.write.file, last ?? 0, ...saved.unsettled.map(({ file }) => file))
  const behind = files.filter((file) => file >= saved.write.file)
  const found = yield* scan(disk, pathOf, maxMsgSize, behind, saved.write)
  const isExact = found.count === 0 && found.torn === undefined && highest === saved.write.file && found.isComplete
  if (!isExact && found.tailSize > saved.write.offset) {
    yield* Effect.logWarning(
      `${label} ${
        pathOf(saved.write.file)
      } metadata writePos ${saved.write.offset} < file size of ${found.tailSize}, skipping to new file`
    )
  }
  const write = isExact ? saved.write : { file: highest + 1, offset: 0 }
  const next = (file: number): QueuePosition => ({ file: files.find((other) => other > file) ?? write.file, offset: 0 })
  const isReadable = present.has(saved.read.file) || saved.read.file === write.file
  const isAtEnd = !isExact && found.count === 0 && !isBefore(saved.read, saved.write) && !found.isDamaged
  const read = isReadable && !isAtEnd ? saved.read : next(saved.read.file)
  const finished = files.filter((file) => file < read.file && !needed.has(file))
  const isSame = isExact && isRecorded(loaded) && read === saved.read && finished.length === 0 &&
    unsettled.length === saved.unsettled.length
  return {
    depth: saved.depth + found.count,
    read,
    write,
    recent: recentOf(loaded, write),
    unsettled,
    finished,
    trustsChecksums,
    torn: found.torn,
    changed: !isSame
  }
})

interface Scan {
  /** Whole records from the start position on. */
  readonly count: number
  readonly torn: QueuePosition | undefined
  /** The size of the file of the start position, 0 when it does not exist. */
  readonly tailSize: number
  /** Whether that file exists and ends exactly at the start position, or does not exist where nothing was written. */
  readonly isComplete: boolean
  /** Whether there is something behind the start position that is neither a record nor the beginning of one. */
  readonly isDamaged: boolean
}

/** Counts whole records from `start` on, in these files, and finds a torn record at the end of the last one. */
const scan = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  pathOf: (file: number) => string,
  maxMsgSize: number,
  files: ReadonlyArray<number>,
  start: QueuePosition
): Effect.fn.Return<Scan, DiskError> {
  let count = 0
  let torn: QueuePosition | undefined
  let tailSize = 0
  let isDamaged = false
  for (const file of files) {
    const from = file === start.file ? start.offset : 0
    const found = yield* scanFile(disk, pathOf(file), from, maxMsgSize).pipe(
      // A file that cannot be read must not keep the daemon from starting: reading it is tried again and again later.
      Effect.catch((error) =>
        Effect.as(
          Effect.logError(`failed to look for messages at the end of a disk queue - ${error.message}`),
          { count: 0, size: Infinity, end: 0, isTorn: false }
        )
      )
    )
    count += found.count
    if (file === start.file) tailSize = found.size
    if (found.end < found.size) {
      if (found.isTorn && file === files.at(-1)) torn = { file, offset: found.end }
      else isDamaged = true
    }
  }
  return { count, torn, tailSize, isComplete: tailSize === start.offset, isDamaged }
})

/** Whole records from `from` on, where they end, and whether the end of the file cuts off the next one. */
const scanFile = Effect.fnUntraced(function*(disk: Disk["Service"], path: string, from: number, maxMsgSize: number) {
  // Most queues were closed: nothing lies behind the saved position, and the file does not have to be opened.
  const found = yield* Effect.fromResult(disk.readStart(path, 0))
  if (found === undefined || found.size <= from) return { count: 0, size: found?.size ?? 0, end: from, isTorn: false }
  return yield* Effect.acquireUseRelease(
    disk.open(path),
    (file) => scanRecords(file, found.size, from, maxMsgSize),
    (file) => file.close
  )
})

const scanRecords = Effect.fnUntraced(function*(
  file: { readonly read: ReadAt },
  size: number,
  from: number,
  maxMsgSize: number
) {
  let offset = from
  let count = 0
  while (offset < size) {
    let bytes: Buffer = Buffer.allocUnsafeSlow(Math.min(scanBytes, size - offset))
    let walk = walkRecords(bytes, 0, yield* file.read(bytes, offset), maxMsgSize)
    const isLarge = walk.count === 0 && walk.next !== undefined && offset + 4 + walk.next <= size && walk.next > 0
    if (isLarge && walk.next !== undefined) {
      bytes = Buffer.allocUnsafeSlow(Math.min(4 + walk.next, maxMsgSize + scanBytes))
      walk = walkRecords(bytes, 0, yield* file.read(bytes, offset), maxMsgSize)
    }
    if (walk.count === 0) {
      const isTorn = walk.next === undefined || (walk.next > 0 && offset + 4 + walk.next > size)
      return { count, size, end: offset, isTorn }
    }
    count += walk.count
    offset += walk.end
  }
  return { count, size, end: offset, isTorn: false }
})

type ReadAt = (buffer: Buffer, position: number) => Effect.Effect<number, DiskError>
