/**
 * Writes what publishers append to a disk queue: what comes while it writes goes out with the next write, and as
 * `--sync-every` asks with one sync. A write that fails is taken back as a whole. One fiber writes; it is forked when there is
 * work.
 */
import { Effect } from "effect"
import type { DiskError } from "./Disk.ts"
import type { QueueActivity, QueueOperation } from "./QueueActivity.ts"
import type { QueuePositions } from "./QueuePositions.ts"
import { type RecordRun, StorageError } from "./Storage.ts"

/** The queue that is written. */
export interface WrittenQueue {
  readonly positions: QueuePositions
  readonly syncEvery: number
  readonly isClosed: boolean
  readonly fork: (work: Effect.Effect<void>) => void
  /** Called before every write: NSQ's nsqd, should it take over after a kill, overwrites a queue without metadata. */
  readonly ensureMetadata: Effect.Effect<void>
  readonly trySync: (activity: QueueActivity) => Effect.Effect<void>
  readonly report: (operation: QueueOperation, error: DiskError | undefined) => Effect.Effect<void>
  readonly noteChange: () => void
  /** Reading has left a file. */
  readonly release: (file: number) => void
}

interface Append {
  readonly runs: ReadonlyArray<RecordRun>
  readonly resume: (effect: Effect.Effect<void, StorageError>) => void
}

/** Bytes of appends that go out in one write. */
const groupBytes = 8 * 1024 * 1024

const exiting = new StorageError({ description: "exiting" })

export class QueueWriter {
  private readonly queue: WrittenQueue
  private readonly activity: QueueActivity
  private appends: Array<Append> = []
  /** Whether a fiber writes or is about to. */
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

  /** Starts the fiber that writes, and syncs when that is due, unless it runs already. */
  start(): void {
    if (this.isRunning) return
    this.isRunning = true
    // Appends that come in the same turn go out together.
    this.queue.fork(Effect.andThen(Effect.yieldNow, this.run()))
  }

  /** Each group takes its turn: recording the state does not wait until publishers pause. */
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

  /** Writes everything that waits. To be run exclusively. */
  writeAll(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.hasWork) yield* this.writeNext()
    })
  }

  /** Writes the next group, and syncs when that is due. */
  private writeNext(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { activity, queue } = this
      if (queue.isClosed) { for (const append of this.takeGroup(Infinity)) append.resume(Effect.fail(exiting)) }
      if (this.appends.length > 0) yield* this.writeGroup(this.takeGroup(groupBytes))
      if (activity.isSyncDue) yield* queue.trySync(activity)
    })
  }

  /** The next appends that go out together: at least one, about `maxBytes`. */
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
      // A full disk may have files whose messages are all settled.
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

  /** Writes a group and, where the options ask for it, syncs it; it counts from then on. Takes it back when that fails. */
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

  /** Whether the file that is written next holds nothing but settled messages. */
  get isDrained(): boolean {
    const { hasMore, tail } = this.queue.positions
    return this.isIdle && !hasMore && tail.offset > 0 && !this.activity.hasRunsOf(tail.file)
  }

  /** Writing goes on in a new file, so that a drained one can be removed. To be run exclusively. */
  leaveTail(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity: { files }, queue } = this
      const tail = { file: queue.positions.tail.file + 1, offset: 0 }
      const left = queue.positions.moveTail(tail)
      if (left !== undefined) queue.release(left)
      return files.moveTo(tail)
    })
  }

  /** Tries whether the disk takes bytes again after a write has failed, so that health does not wait for a publisher. */
  probe(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity, queue } = this
      if (!activity.hasFailed("write") || !this.isIdle) return Effect.void
      return Effect.matchEffect(activity.files.probe(), {
        // The failure that is known stays.
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
