/**
 * Writes appends to a disk queue. Appends during a write share the next write, and one sync if `--sync-every`
 * requires it. A failed write is taken back as a whole. One fiber writes; it is forked when there is work.
 */
import { Effect } from "effect"
import type { DiskError } from "../disk/Disk.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import type { RecordRun } from "./BackendQueue.ts"
import type { QueueActivity, QueueOperation } from "./QueueActivity.ts"
import type { QueuePositions } from "./QueuePositions.ts"

/** The queue that is written. */
export interface WrittenQueue {
  readonly positions: QueuePositions
  readonly syncEvery: number
  readonly isClosed: boolean
  readonly fork: (work: Effect.Effect<void>) => void
  /** Runs before every write: NSQ's nsqd, if it takes over after a kill, overwrites a queue without metadata. */
  readonly ensureMetadata: Effect.Effect<void>
  readonly trySync: (activity: QueueActivity) => Effect.Effect<void>
  readonly report: (operation: QueueOperation, error: DiskError | undefined) => Effect.Effect<void>
  readonly noteChange: () => void
  /** Called when reading leaves a file. */
  readonly release: (file: number) => void
}

interface Append {
  readonly runs: ReadonlyArray<RecordRun>
  readonly resume: (effect: Effect.Effect<void, StorageError>) => void
}

/** Bytes of appends per write. */
const groupBytes = 8 * 1024 * 1024

const exiting = new StorageError({ reason: StorageErrorReason.Exiting() })

export class QueueWriter {
  private readonly queue: WrittenQueue
  private readonly activity: QueueActivity
  private appends: Array<Append> = []
  /** Whether the writing fiber is running or about to. */
  private isRunning = false

  constructor(queue: WrittenQueue, activity: QueueActivity) {
    this.queue = queue
    this.activity = activity
  }

  get isIdle(): boolean {
    return !this.isRunning && this.appends.length === 0
  }

  append(runs: ReadonlyArray<RecordRun>): Effect.Effect<void, StorageError> {
    return Effect.callback((resume) => {
      if (this.queue.isClosed) return resume(Effect.fail(exiting))
      this.appends.push({ runs, resume })
      this.start()
    })
  }

  /** Starts the fiber that writes, and syncs if due, unless it is running. */
  start(): void {
    if (this.isRunning) return
    this.isRunning = true
    // Appends of the same turn share a write.
    this.queue.fork(Effect.andThen(Effect.yieldNow, this.run()))
  }

  /** The lock is released between groups, so that recording the state does not wait until publishers pause. */
  private run(): Effect.Effect<void> {
    return Effect.andThen(
      Effect.suspend(() => this.activity.exclusively(this.writeNext())),
      Effect.suspend(() => {
        if (this.hasWork) return this.run()
        this.isRunning = false
        return Effect.void
      })
    )
  }

  private get hasWork(): boolean {
    return this.appends.length > 0 || this.activity.isSyncDue
  }

  /** Writes all waiting appends. Must run exclusively. */
  writeAll(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.hasWork) yield* this.writeNext()
    })
  }

  /** Writes the next group, and syncs if due. */
  private writeNext(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { activity, queue } = this
      if (queue.isClosed) { for (const append of this.takeGroup(Infinity)) append.resume(Effect.fail(exiting)) }
      if (this.appends.length > 0) yield* this.writeGroup(this.takeGroup(groupBytes))
      if (activity.isSyncDue) yield* queue.trySync(activity)
    })
  }

  /** The next appends for one write: at least one, about `maxBytes`. */
  private takeGroup(maxBytes: number): ReadonlyArray<Append> {
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

  private writeGroup(group: ReadonlyArray<Append>): Effect.Effect<void> {
    const { activity, queue } = this
    const runs = group.flatMap((append) => append.runs)
    return this.commit(runs).pipe(
      // On a full disk, removing finished files may make space.
      Effect.catchIf(
        (error) => error.code === "ENOSPC",
        (error) =>
          Effect.flatMap(activity.removeFinished(), (removed) => removed ? this.commit(runs) : Effect.fail(error))
      ),
      Effect.matchEffect({
        onSuccess: () => Effect.as(queue.report("write", undefined), Effect.void),
        onFailure: (error) => Effect.as(queue.report("write", error), Effect.fail(StorageError.fromDisk(error)))
      }),
      Effect.map((result) => {
        for (const append of group) append.resume(result)
      })
    )
  }

  /** Writes a group and syncs it if due; the messages count from then on. Takes the write back on failure. */
  private commit(runs: ReadonlyArray<RecordRun>): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { activity, queue } = this
      const { files } = activity
      let count = 0
      let bytes = 0
      for (const run of runs) {
        count += run.count
        bytes += run.end - run.start
      }
      yield* queue.ensureMetadata
      const rolled = yield* files.write(runs)
      const isDue = rolled || activity.isSyncDue || activity.operations + count >= queue.syncEvery
      if (isDue) yield* files.sync()
      activity.operations += count
      queue.positions.waiting += count
      queue.positions.wrote(files.end, bytes)
      if (isDue) activity.isSyncDue = true
      queue.noteChange()
    }).pipe(Effect.tapError(() => this.takeBack()))
  }

  /** Whether the current file holds only settled messages. */
  get isDrained(): boolean {
    const { hasMore, tail } = this.queue.positions
    return this.isIdle && !hasMore && tail.offset > 0 && !this.activity.hasRunsOf(tail.file)
  }

  /** Continues in a new file, so that a drained file can be removed. Must run exclusively. */
  leaveTail(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity: { files }, queue } = this
      const tail = { file: queue.positions.tail.file + 1, offset: 0 }
      const left = queue.positions.moveTail(tail)
      if (left !== undefined) queue.release(left)
      return files.moveTo(tail)
    })
  }

  /** Checks whether the disk accepts writes again after a failure, so that the health recovers without a publisher. */
  probe(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity, queue } = this
      if (!activity.hasFailed("write") || !this.isIdle) return Effect.void
      return Effect.matchEffect(activity.files.probe(), {
        // The known failure stays.
        onFailure: () => Effect.void,
        onSuccess: () => queue.report("write", undefined)
      })
    })
  }

  private takeBack(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { activity: { files }, queue } = this
      yield* files.takeBack(queue.positions.tail)
      const left = queue.positions.moveTail(files.end)
      if (left !== undefined) queue.release(left)
    })
  }
}
