/**
 * Determines a disk queue's positions when it is opened (docs/protocol/files.md#recovery). Positions and files are
 * authoritative, the depth is not: after a crash the saved state is older than the files, so messages after the saved
 * write position are found, no written message is overwritten, and a read position in a deleted file moves to the
 * next file. NSQ overwrites the first file if its metadata is missing.
 */
import { Effect, Result } from "effect"
import { decodeQueueMetadata, type QueuePosition, walkRecords } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import type { QueueInventory } from "./QueueInventory.ts"
import { type FoundPositions, nothingFound } from "./QueuePositions.ts"
import { isPaired, type LoadedState } from "./StateFile.ts"

export interface RecoveredQueue extends FoundPositions {
  /** Files to remove: a crash prevented their removal. */
  readonly finished: ReadonlyArray<number>
  /** Whether the checksum files match the data files; not if NSQ's nsqd has written in between. */
  readonly trustsChecksums: boolean
  /** End of the last file's valid part, if an incomplete record after it has to be cut off. */
  readonly torn: QueuePosition | undefined
  /** Whether this differs from the saved state. */
  readonly changed: boolean
}

type Saved = Pick<RecoveredQueue, "depth" | "read" | "write" | "unsettled">

const scanBytes = 1024 * 1024

/** The initial state: the state file, or NSQ's metadata if NSQ's nsqd has used the queue since. */
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

/** Without a state file NSQ's metadata is sufficient; an unsynced state may be newer than the metadata. */
const isRecorded = ({ metadata, state }: LoadedState): boolean =>
  state === undefined ? metadata !== undefined : state.isSynced

/** Whether a position is the end of this file. */
const endsAt = (
  disk: Disk["Service"],
  pathOf: (file: number) => string,
  number: number | undefined,
  { file, offset }: QueuePosition
): boolean => {
  if (number !== file) return false
  const start = disk.readStart(pathOf(file), 0)
  return Result.isSuccess(start) && start.success?.size === offset
}

/** A queue that was closed, or used by NSQ's nsqd since, has no recent records. */
const recentOf = (loaded: LoadedState, write: QueuePosition): QueuePosition =>
  isPaired(loaded) ? loaded.state?.recent ?? write : write

const isBefore = (a: QueuePosition, b: QueuePosition): boolean =>
  a.file < b.file || (a.file === b.file && a.offset < b.offset)

/**
 * The positions of a cleanly closed queue: the size of its last file shows that nothing follows the saved state.
 * `undefined` if the queue needs recovery. Not an Effect, because a start opens thousands of queues, nearly all of
 * them closed.
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
  if (last !== write.file) return write.offset === 0 && !endsAt(disk, pathOf, last, read) ? found : undefined
  const tail = disk.readStart(pathOf(last), 0)
  return Result.isSuccess(tail) && tail.success?.size === write.offset ? found : undefined
}

/** Finds the messages after the saved write position. Writes nothing. */
export const recoverQueue: (
  disk: Disk["Service"],
  label: string,
  pathOf: (file: number) => string,
  maxMsgSize: number,
  inventory: QueueInventory,
  loaded: LoadedState
) => Effect.Effect<RecoveredQueue, DiskError> = Effect.fnUntraced(function*(
  disk,
  label,
  pathOf,
  maxMsgSize,
  inventory,
  loaded
) {
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
  // The highest number in any saved position: no new file gets a lower one.
  const highest = Math.max(saved.read.file, saved.write.file, last ?? 0, ...saved.unsettled.map(({ file }) => file))
  const behind = files.filter((file) => file >= saved.write.file)
  const found = yield* scan(disk, pathOf, maxMsgSize, behind, saved.write)
  if (
    loaded.metadata !== undefined && isSame(found.torn, saved.write) &&
    !(yield* endsRecord(disk, pathOf(saved.write.file), saved.write.offset, maxMsgSize))
  ) {
    // A loss of power has kept a part of the text.
    yield* Effect.logError(`${label} metadata writePos ${saved.write.offset} is not the end of a message, ignoring it`)
    return yield* recoverQueue(disk, label, pathOf, maxMsgSize, inventory, { ...loaded, metadata: undefined })
  }
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
  const isAtEnd = found.count === 0 && !found.isDamaged &&
    (isExact
      ? saved.read.file !== write.file && write.offset === 0 && endsAt(disk, pathOf, last, saved.read)
      : !isBefore(saved.read, saved.write))
  const read = isReadable && !isAtEnd ? saved.read : next(saved.read.file)
  const finished = files.filter((file) => file < read.file && !needed.has(file))
  const isUnchanged = isExact && isRecorded(loaded) && read === saved.read && finished.length === 0 &&
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
    changed: !isUnchanged
  }
})

interface Scan {
  /** Number of whole records from the start position on. */
  readonly count: number
  readonly torn: QueuePosition | undefined
  /** Size of the start position's file; 0 if it does not exist. */
  readonly tailSize: number
  /** Whether that file ends exactly at the start position, or is missing and nothing was written. */
  readonly isComplete: boolean
  /** Whether bytes after the start position are neither a record nor the start of one. */
  readonly isDamaged: boolean
}

/** Counts whole records in these files from `start` on, and finds an incomplete record at the end of the last file. */
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
      // An unreadable file must not prevent the start: reading it is retried later.
      Effect.catch((error) =>
        Effect.as(
          Effect.logError(`failed to find messages at the end of a disk queue - ${error.message}`),
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

/** Counts whole records from `from` on, with their end and whether the file ends within the next record. */
const scanFile = Effect.fnUntraced(function*(disk: Disk["Service"], path: string, from: number, maxMsgSize: number) {
  // Most queues were closed: nothing follows the saved position, and the file need not be opened.
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

const isSame = (a: QueuePosition | undefined, b: QueuePosition): boolean =>
  a !== undefined && a.file === b.file && a.offset === b.offset

/** Whether a record ends at `offset`, or the file starts there. */
const endsRecord = (
  disk: Disk["Service"],
  path: string,
  offset: number,
  maxMsgSize: number
): Effect.Effect<boolean, DiskError> =>
  offset === 0 ? Effect.succeed(true) : Effect.acquireUseRelease(
    disk.open(path),
    (file) => Effect.map(scanRecords(file, offset, 0, maxMsgSize), ({ end }) => end === offset),
    (file) => file.close
  )

type ReadAt = (buffer: Buffer, position: number) => Effect.Effect<number, DiskError>
