/**
 * The part of a disk queue that exists only while it is in use: open files, waiting appends, unsettled runs, files to
 * remove. A queue at rest has none.
 */
import { Effect, Semaphore } from "effect"
import * as Path from "node:path"
import { checksumFileName, dataFileName, type QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import { ChecksumWriter } from "./ChecksumWriter.ts"
import type { OutstandingRun } from "./OutstandingRun.ts"
import { QueueFiles } from "./QueueFiles.ts"
import type { QueuePositions } from "./QueuePositions.ts"
import { QueueReader } from "./QueueReader.ts"

/** The operations that fail independently. */
export type QueueOperation = "write" | "read" | "sync" | "write checksums"

export class QueueActivity {
  readonly sums: ChecksumWriter
  readonly files: QueueFiles
  readonly reader: QueueReader
  /** Runs with unsettled messages. */
  readonly runs = new Set<OutstandingRun>()
  private readonly runsOf = new Map<number, number>()
  /** Files to remove. */
  finished: Array<number> = []
  /** Files with unreadable parts: they are renamed instead of removed. */
  readonly damaged = new Set<number>()
  /** Files with bytes after their valid part, and the end of that part. */
  readonly sealed = new Map<number, number>()
  /** Messages written and read since the last sync. */
  operations = 0
  isSyncDue = false
  /** Whether `tidy` is running or waiting. */
  isTidying = false
  private readonly disk: Disk["Service"]
  private readonly name: string
  private readonly dataPath: string
  /** Numbers of the existing data files, ascending; shared with the queue. */
  private readonly numbers: Array<number>
  private readonly failures = new Map<QueueOperation, DiskError>()
  /** Work that is running or waiting for a lock. */
  private working = 0
  private readonly readLock = Semaphore.makeUnsafe(1)
  private readonly writeLock = Semaphore.makeUnsafe(1)

  constructor(
    disk: Disk["Service"],
    name: string,
    options: { readonly dataPath: string; readonly maxBytesPerFile: number; readonly maxMsgSize: number },
    positions: QueuePositions
  ) {
    this.disk = disk
    this.name = name
    this.dataPath = options.dataPath
    this.numbers = positions.numbers
    const data = (file: number) => this.pathOf(file)
    const sums = (file: number) => this.sumsPathOf(file)
    this.sums = new ChecksumWriter(disk, sums)
    this.files = new QueueFiles(
      disk,
      data,
      this.sums,
      options.maxBytesPerFile,
      this.numbers,
      this.sealed,
      positions.tail
    )
    this.reader = new QueueReader(disk, { data, sums }, options.maxMsgSize)
  }

  pathOf(file: number): string {
    return Path.join(this.dataPath, dataFileName(this.name, file))
  }

  private sumsPathOf(file: number): string {
    return Path.join(this.dataPath, checksumFileName(this.name, file))
  }

  private get label(): string {
    return `DISKQUEUE(${this.name})`
  }

  // ---- locks

  /** Whether the activity can be discarded without loss: only the caller's work is running. */
  get isIdle(): boolean {
    const kept = this.runs.size + this.finished.length + this.damaged.size + this.sealed.size
    return kept + this.failures.size === 0 && !this.sums.hasPending && !this.isSyncDue &&
      this.working === 1
  }

  /** Runs writing work, one at a time and to its end. */
  exclusively<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.counted(this.writeLock.withPermit(Effect.uninterruptible(work)))
  }

  /** Runs work to its end, concurrently with other work. */
  beside<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.counted(Effect.uninterruptible(work))
  }

  /** Runs reading work, one at a time and to its end. */
  reading<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.counted(this.readLock.withPermit(Effect.uninterruptible(work)))
  }

  /** Counts from the call, not from the start of the work: the queue must not come to rest in between. */
  private counted<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    this.working++
    return Effect.ensuring(work, Effect.sync(() => this.working--))
  }

  // ---- unsettled runs

  addRun(run: OutstandingRun): void {
    this.runs.add(run)
    this.runsOf.set(run.file, (this.runsOf.get(run.file) ?? 0) + 1)
  }

  /** Returns false for a run from before the queue was emptied. */
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

  // ---- health

  /** Records the result of an operation. Returns the queue's failure, and the log line if the failure changed. */
  outcome(operation: QueueOperation, error: DiskError | undefined): {
    readonly failure: DiskError | undefined
    readonly log: Effect.Effect<void>
  } {
    const before = this.failures.get(operation)
    if (error === undefined) this.failures.delete(operation)
    else this.failures.set(operation, error)
    const [failure] = this.failures.values()
    const log = error === undefined
      ? Effect.logInfo(`${this.label} can ${operation} again`)
      : Effect.logError(`${this.label} failed to ${operation} - ${error.message}`)
    return { failure, log: before?.message === error?.message ? Effect.void : log }
  }

  hasFailed(operation: QueueOperation): boolean {
    return this.failures.has(operation)
  }

  // ---- files

  /** Whether there are files to remove or checksums to write. */
  get needsTidying(): boolean {
    return this.finished.length > 0 || this.sums.hasPending
  }

  /** Removes finished files; returns whether there were any. Damaged files are renamed instead. */
  removeFinished(): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const { finished } = this
      if (finished.length === 0) return Effect.succeed(false)
      this.finished = []
      const remove = (file: number) =>
        Effect.catch(this.damaged.has(file) ? this.setAside(file) : this.remove(file), (error) =>
          // The next opening of the queue retries.
          Effect.logError(`${this.label} failed to remove a finished file - ${error.message}`))
      return Effect.as(Effect.forEach(finished, remove, { discard: true }), true)
    })
  }

  /** Removes a data file and its checksums. */
  remove(file: number): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.disk.remove(this.pathOf(file))
      this.forget(file)
      yield* this.sums.drop(file)
      yield* this.disk.remove(this.sumsPathOf(file))
    })
  }

  private setAside(file: number): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      yield* Effect.ignore(this.sums.flush())
      yield* this.sums.drop(file)
      for (const path of [this.pathOf(file), this.sumsPathOf(file)]) {
        const rename = Effect.tap(
          this.disk.rename(path, `${path}.bad`),
          () => Effect.logWarning(`${this.label} saving bad file as ${path}.bad`)
        )
        yield* Effect.catchIf(rename, (error) => error.code === "ENOENT", () => Effect.void)
      }
      this.forget(file)
    })
  }

  private forget(file: number): void {
    const at = this.numbers.indexOf(file)
    if (at >= 0) this.numbers.splice(at, 1)
    this.damaged.delete(file)
    this.sealed.delete(file)
  }

  /** Removes checksums that do not match the data files. */
  removeSums(files: ReadonlyArray<number>): Effect.Effect<void, DiskError> {
    return Effect.forEach(files, (file) => this.disk.remove(this.sumsPathOf(file)), { discard: true })
  }

  /** Forgets the content of the queue and continues at `next`. The data files stay. */
  reset(next: QueuePosition): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.runs.clear()
      this.runsOf.clear()
      this.finished = []
      this.operations = 0
      this.isSyncDue = false
      this.sums.takeBack(0, 0)
      return Effect.andThen(this.files.moveTo(next), this.close())
    })
  }

  /** Closes all files until they are needed again. */
  close(): Effect.Effect<void> {
    return Effect.andThen(this.files.close(), Effect.andThen(this.sums.close(), this.reader.close()))
  }
}
