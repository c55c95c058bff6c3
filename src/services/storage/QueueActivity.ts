/**
 * What a disk queue needs only while it is in use: open files, what publishers wait for, what was read and is not settled.
 * A queue at rest has none.
 */
import { Effect, Semaphore } from "effect"
import { isRecordSize, type QueuePosition, recordStarts, walkRecords } from "../../protocol/DiskQueueFormat.ts"
import type { Disk, DiskError, DiskFile } from "./Disk.ts"
import type { OutstandingRun } from "./OutstandingRun.ts"
import { QueueFiles } from "./QueueFiles.ts"
import type { RecordRun, StorageError } from "./Storage.ts"

export interface Append {
  readonly runs: ReadonlyArray<RecordRun>
  readonly resume: (effect: Effect.Effect<void, StorageError>) => void
}

/** The file that is being read. */
interface OpenReader {
  readonly number: number
  readonly file: DiskFile
  /** Once the file is finished, how much of it is valid. */
  size: number | undefined
}

/** Records that were read. */
export interface ReadRecords {
  readonly bytes: Buffer
  readonly count: number
  /** Where each of them starts in `bytes`, and where the last one ends. */
  readonly starts: Int32Array
}

/** A read shows at least how large the next record is. */
const minReadBytes = 4

export class QueueActivity {
  readonly files: QueueFiles
  /** What was read and is not settled. */
  readonly runs = new Set<OutstandingRun>()
  private readonly runsOf = new Map<number, number>()
  /** Files of which nothing is needed, to be removed. */
  finished: Array<number> = []
  /** Files in which something could not be read: they are set aside instead of being removed. */
  readonly damaged = new Set<number>()
  /** Files with bytes behind their valid part, and where that part ends. */
  readonly sealed = new Map<number, number>()
  readonly failures: Record<"read" | "write" | "state", DiskError | undefined> = {
    read: undefined,
    write: undefined,
    state: undefined
  }
  appends: Array<Append> = []
  /** Messages written and read since the last sync. */
  operations = 0
  isSyncDue = false
  /** Whether a fiber writes or is about to. */
  isWriting = false
  private readonly disk: Disk["Service"]
  private readonly pathOf: (file: number) => string
  private readonly maxMsgSize: number
  private open: OpenReader | undefined
  /** Work under way or waiting for its turn. */
  private working = 0
  private readonly readLock = Semaphore.makeUnsafe(1)
  private readonly writeLock = Semaphore.makeUnsafe(1)

  constructor(
    disk: Disk["Service"],
    pathOf: (file: number) => string,
    options: { readonly maxBytesPerFile: number; readonly maxMsgSize: number },
    numbers: Array<number>,
    end: QueuePosition
  ) {
    this.disk = disk
    this.pathOf = pathOf
    this.maxMsgSize = options.maxMsgSize
    this.files = new QueueFiles(disk, pathOf, options.maxBytesPerFile, numbers, this.sealed, end)
  }

  /** Whether nothing is lost by forgetting this: only the work that asks is under way. */
  get isIdle(): boolean {
    const { damaged, failures, finished, runs, sealed } = this
    const isClean = runs.size + finished.length + damaged.size + sealed.size + this.appends.length === 0
    const hasFailed = failures.read !== undefined || failures.write !== undefined || failures.state !== undefined
    return isClean && !hasFailed && !this.isWriting && !this.isSyncDue && this.working === 1
  }

  /** Runs work that writes, one at a time and to its end. */
  exclusively<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.counted(this.writeLock.withPermit(Effect.uninterruptible(work)))
  }

  /** Runs work that reads, one at a time and to its end. */
  reading<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.counted(this.readLock.withPermit(Effect.uninterruptible(work)))
  }

  /** Counts from the call on, not from the start of the work: in between the queue must not come to rest. */
  private counted<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    this.working++
    return Effect.ensuring(work, Effect.sync(() => this.working--))
  }

  addRun(run: OutstandingRun): void {
    this.runs.add(run)
    this.runsOf.set(run.file, (this.runsOf.get(run.file) ?? 0) + 1)
  }

  /** False for a run from before the queue was emptied. */
  removeRun(run: OutstandingRun): boolean {
    if (!this.runs.delete(run)) return false
    const left = this.runsOf.get(run.file)! - 1
    if (left > 0) this.runsOf.set(run.file, left)
    else this.runsOf.delete(run.file)
    return true
  }

  hasRunsOf(file: number): boolean {
    return this.runsOf.has(file)
  }

  /** The next appends that go out together: at least one, about `maxBytes`. */
  takeGroup(maxBytes: number): ReadonlyArray<Append> {
    let size = 0
    let count = 0
    while (count < this.appends.length && size < maxBytes) {
      for (const run of this.appends[count]!.runs) size += run.end - run.start
      count++
    }
    const group = this.appends.slice(0, count)
    this.appends = this.appends.slice(count)
    return group
  }

  /** The data file `number`, opened for reading. */
  reader(number: number): Effect.Effect<OpenReader, DiskError> {
    if (this.open !== undefined && this.open.number === number) return Effect.succeed(this.open)
    return Effect.andThen(
      this.closeReader(),
      Effect.map(this.disk.open(this.pathOf(number)), (file) => this.open = { number, file, size: undefined })
    )
  }

  /** Where the valid part of a file ends that is not written any more. */
  endOf(opened: OpenReader): Effect.Effect<number, DiskError> {
    const known = this.sealed.get(opened.number) ?? opened.size
    if (known !== undefined) return Effect.succeed(known)
    return Effect.map(opened.file.size, (size) => opened.size = size)
  }

  /** Whole records from `from` on, at least one, about `maxBytes` and not beyond `end`; or why the next one cannot be read. */
  readRecords(
    { file }: OpenReader,
    from: number,
    end: number,
    maxBytes: number
  ): Effect.Effect<ReadRecords | string, DiskError> {
    return Effect.gen({ self: this }, function*() {
      let bytes: Buffer = Buffer.allocUnsafeSlow(Math.min(Math.max(maxBytes, minReadBytes), end - from))
      let walk = walkRecords(bytes, 0, yield* file.read(bytes, from), this.maxMsgSize)
      const { next } = walk
      if (walk.count === 0 && next !== undefined && isRecordSize(next, this.maxMsgSize) && from + 4 + next <= end) {
        bytes = Buffer.allocUnsafeSlow(4 + next)
        walk = walkRecords(bytes, 0, yield* file.read(bytes, from), this.maxMsgSize)
      }
      if (walk.count > 0) return { bytes, count: walk.count, starts: recordStarts(bytes, 0, walk.count) }
      const isWhole = walk.next !== undefined && from + 4 + walk.next <= end
      return isWhole ? `invalid message read size (${walk.next})` : "unexpected EOF"
    })
  }

  closeReader(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      return open === undefined ? Effect.void : open.file.close
    })
  }

  /** The queue has been emptied. */
  forgetAll(): void {
    this.runs.clear()
    this.runsOf.clear()
    this.finished = []
    this.operations = 0
    this.isSyncDue = false
  }

  close(): Effect.Effect<void> {
    return Effect.andThen(this.files.close(), this.closeReader())
  }
}
