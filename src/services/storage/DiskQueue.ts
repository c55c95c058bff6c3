/**
 * A queue of messages in files, in NSQ's own format: a data directory moves from NSQ to here and back. Appends of many
 * publishers go out in one write; reads fetch many records at a time.
 *
 * Unlike NSQ, the queue records which messages are settled: those that were handed out and not finished when the daemon was
 * killed are read again, whatever was finished after them is not. A file is deleted as soon as everything in it is settled,
 * also while nothing can be written.
 *
 * One fiber at a time writes, syncs and removes files; it is forked when there is work. Reading goes on beside it, up to the
 * end of the last successful write: a write that fails is taken back. A queue at rest has no fibers and no open files, and
 * costs a few hundred bytes: a daemon may have tens of thousands.
 */
import { Effect, type Scope } from "effect"
import * as Path from "node:path"
import { dataFileName, type QueuePosition } from "../../protocol/DiskQueueFormat.ts"
import type { QueueRange } from "../../protocol/QueueState.ts"
import { ExitStatus } from "../ExitStatus.ts"
import { Disk, type DiskError } from "./Disk.ts"
import { OutstandingRun, type RunOwner } from "./OutstandingRun.ts"
import { type Append, QueueActivity, type QueueOperation } from "./QueueActivity.ts"
import type { QueueInventory } from "./QueueInventory.ts"
import { recoverQueue } from "./QueueRecovery.ts"
import { type Snapshot, StateFile } from "./StateFile.ts"
import { type BackendQueue, type RecordRun, StorageError, type StoredRun } from "./Storage.ts"

export interface DiskQueueOptions {
  readonly dataPath: string
  readonly maxBytesPerFile: number
  /** Messages written and read between two syncs. */
  readonly syncEvery: number
  readonly maxMsgSize: number
}

/** What queues need of their owner. */
export interface QueueHost {
  /** The queue's last failure, `undefined` once it works again. */
  readonly note: (queue: string, error: DiskError | undefined) => void
  /** The state differs from what is recorded: `saveState` is to be called within 50 ms, `syncIfDirty` within the sync timeout. */
  readonly changed: (queue: DiskQueue) => void
  /** Runs the queue's own work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
}

/** Bytes of appends that go out in one write. */
const groupBytes = 8 * 1024 * 1024

const failing = <A>(effect: Effect.Effect<A, DiskError>): Effect.Effect<A, StorageError> =>
  Effect.mapError(effect, StorageError.fromDisk)

const exiting = new StorageError({ description: "exiting" })

const noRanges: Array<QueueRange> = []

export class DiskQueue implements BackendQueue, RunOwner {
  readonly name: string
  private readonly disk: Disk["Service"]
  private readonly options: DiskQueueOptions
  private readonly host: QueueHost
  private readonly state: StateFile
  /** Messages between the positions, and in `again`. */
  private waiting = 0
  /** Ranges to read before going on at `cursor`, ascending. */
  private again: Array<QueueRange> = noRanges
  private cursor: QueuePosition = { file: 0, offset: 0 }
  /** Where what has been written successfully ends. */
  private tail: QueuePosition = this.cursor
  /** The numbers of the data files that exist, ascending. */
  private readonly numbers: Array<number>
  /** What only a queue in use has. */
  private activity: QueueActivity | undefined
  /** Whether the saved state is out of date. */
  private isChanged = false
  /** Whether something happened since the last sync. */
  private isUnsynced = false
  private isClosed = false

  private constructor(
    name: string,
    disk: Disk["Service"],
    options: DiskQueueOptions,
    host: QueueHost,
    numbers: Array<number>
  ) {
    this.name = name
    this.disk = disk
    this.options = options
    this.host = host
    this.numbers = numbers
    this.state = new StateFile(disk, options.dataPath, name)
  }

  /** Opens the queue `name` from the files in the inventory. Closing the Scope syncs it and records its state. */
  static readonly open = Effect.fnUntraced(function*(
    name: string,
    options: DiskQueueOptions,
    inventory: QueueInventory,
    host: QueueHost
  ): Effect.fn.Return<DiskQueue, StorageError, Disk | Scope.Scope> {
    const queue = new DiskQueue(name, yield* Disk, options, host, [...inventory.data])
    yield* Effect.acquireRelease(failing(queue.recover(inventory)), () => queue.close())
    return queue
  })

  // ---- what others may know

  get depth(): number {
    return this.waiting === 0 && this.hasMore ? 1 : this.waiting
  }

  get hasMore(): boolean {
    return this.again.length > 0 || this.cursor.file !== this.tail.file || this.cursor.offset < this.tail.offset
  }

  // ---- opening

  private recover(inventory: QueueInventory): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const loaded = yield* this.state.load(inventory)
      const { maxMsgSize } = this.options
      const found = yield* recoverQueue(
        this.disk,
        this.label,
        (file) => Path.join(this.options.dataPath, dataFileName(this.name, file)),
        maxMsgSize,
        inventory,
        loaded
      )
      this.waiting = found.depth
      this.again = [...found.unsettled]
      this.cursor = found.read
      this.tail = found.write
      const isNew = inventory.data.length === 0 && !inventory.hasMetadata
      if (!found.trustsChecksums && inventory.sums.length > 0) yield* this.activate().removeSums(inventory.sums)
      if (found.torn !== undefined) yield* this.cut(found.torn)
      if (found.finished.length > 0) this.activate().finished.push(...found.finished)
      if (!inventory.hasState) {
        const created = Effect.catch(this.state.create(this.snapshot()), (error) =>
          // A new queue does not come to be; one that has messages works all the same.
          isNew ? Effect.fail(error) : this.report("sync", error))
        yield* created
        if (this.activity !== undefined) this.change()
      }
      if (found.changed) this.change()
    })
  }

  /** Cuts off a record that a crash tore, so that nobody takes it for damage later. */
  private cut(position: QueuePosition): Effect.Effect<void> {
    const activity = this.activate()
    const what = `a torn record at ${position.offset} of ${activity.pathOf(position.file)}`
    return Effect.matchEffect(activity.files.cut(position), {
      onSuccess: () => Effect.logWarning(`${this.label} cut off ${what}`),
      onFailure: (error) => Effect.logError(`${this.label} failed to cut off ${what} - ${error.message}`)
    })
  }

  // ---- state

  private get label(): string {
    return `DISKQUEUE(${this.name})`
  }

  private activate(): QueueActivity {
    if (this.activity !== undefined) return this.activity
    this.activity = new QueueActivity(this.disk, this.name, this.options, this.numbers, this.tail)
    this.host.changed(this)
    return this.activity
  }

  /** Whether the queue has neither fibers nor open files, nor anything to record. */
  get isAtRest(): boolean {
    return this.activity === undefined
  }

  private change(): void {
    this.isChanged = true
    this.isUnsynced = true
    this.activate()
    this.host.changed(this)
  }

  private snapshot(): Snapshot {
    const unsettled = [...this.again]
    let depth = this.waiting
    for (const run of this.activity?.runs ?? []) {
      depth += run.unsettled
      unsettled.push(...run.unsettledRanges)
    }
    return { depth, read: this.cursor, write: this.tail, unsettled }
  }

  private report(operation: QueueOperation, error: DiskError | undefined): Effect.Effect<void> {
    return Effect.suspend(() => {
      const activity = this.activate()
      if (error === undefined && !activity.hasFailed(operation)) return Effect.void
      const { failure, log } = activity.outcome(operation, error)
      this.host.note(this.name, failure)
      return log
    })
  }

  // ---- settling

  settled(): void {
    if (!this.isChanged) this.change()
  }

  finished(run: OutstandingRun): void {
    const { activity } = this
    if (activity === undefined || !activity.removeRun(run)) return
    this.release(run.file)
  }

  /** A file that reading has left and of which nothing is outstanding is finished. */
  private release(file: number): void {
    const activity = this.activate()
    if (file >= this.cursor.file || this.again.some((range) => range.file === file)) return
    if (activity.hasRunsOf(file)) return
    activity.finished.push(file)
    this.change()
  }

  // ---- writing

  append(runs: ReadonlyArray<RecordRun>): Effect.Effect<void, StorageError> {
    return Effect.callback((resume) => {
      if (this.isClosed) return resume(Effect.fail(exiting))
      const activity = this.activate()
      activity.appends.push({ runs, resume })
      this.startWriter(activity)
    })
  }

  private startWriter(activity: QueueActivity): void {
    if (activity.isWriting) return
    activity.isWriting = true
    // Appends that come in the same turn go out together.
    this.host.fork(Effect.andThen(Effect.yieldNow, this.runWriter(activity)))
  }

  private runWriter(activity: QueueActivity): Effect.Effect<void> {
    return activity.exclusively(this.writeAll(activity)).pipe(
      Effect.andThen(Effect.sync(() => {
        activity.isWriting = false
        if (activity.appends.length > 0 || activity.isSyncDue) this.startWriter(activity)
      }))
    )
  }

  private writeAll(activity: QueueActivity): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (activity.appends.length > 0) {
        if (this.isClosed) {
          for (const append of activity.takeGroup(Infinity)) append.resume(Effect.fail(exiting))
          break
        }
        yield* this.writeGroup(activity, activity.takeGroup(groupBytes))
        if (activity.isSyncDue) yield* this.trySync(activity)
      }
      if (activity.isSyncDue) yield* this.trySync(activity)
    })
  }

  private writeGroup(activity: QueueActivity, group: ReadonlyArray<Append>): Effect.Effect<void> {
    const runs = group.flatMap((append) => append.runs)
    return this.commit(activity, runs).pipe(
      // A full disk may have files whose messages are all settled.
      Effect.catchIf(
        (error) => error.code === "ENOSPC",
        (error) =>
          Effect.flatMap(
            activity.removeFinished(),
            (removed) => removed ? this.commit(activity, runs) : Effect.fail(error)
          )
      ),
      Effect.matchEffect({
        onSuccess: () => Effect.as(this.report("write", undefined), Effect.void),
        onFailure: (error) => Effect.as(this.report("write", error), Effect.fail(StorageError.fromDisk(error)))
      }),
      Effect.map((result) => {
        for (const append of group) append.resume(result)
      })
    )
  }

  /** Writes a group and, where the options ask for it, syncs it; it counts from then on. Takes it back when that fails. */
  private commit(activity: QueueActivity, runs: ReadonlyArray<RecordRun>): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { files } = activity
      const count = runs.reduce((sum, run) => sum + run.count, 0)
      // NSQ's nsqd, should it take over after a kill, overwrites the messages of a queue without metadata.
      if (!this.state.hasMetadata) yield* Effect.ignore(this.state.sync(this.snapshot(), false))
      const rolled = yield* files.write(runs)
      const isDue = rolled || activity.isSyncDue || activity.operations + count >= this.options.syncEvery
      if (isDue) yield* files.sync()
      activity.operations += count
      this.waiting += count
      this.tail = files.end
      if (isDue) activity.isSyncDue = true
      if (!this.isChanged) this.change()
    }).pipe(Effect.tapError(() => this.takeBack(activity)))
  }

  private takeBack(activity: QueueActivity): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      yield* activity.files.takeBack(this.tail)
      const before = this.tail
      this.tail = activity.files.end
      if (this.cursor.file === before.file && this.cursor.offset >= before.offset) this.leaveFile()
    })
  }

  // ---- syncing

  private sync(activity: QueueActivity): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      activity.isSyncDue = false
      activity.operations = 0
      yield* activity.removeFinished()
      this.isUnsynced = false
      this.isChanged = false
      yield* activity.files.sync()
      yield* this.flushSums(activity)
      yield* this.state.sync(this.snapshot(), true)
    }).pipe(Effect.tapError(() => Effect.sync(() => this.change())))
  }

  /** Checksums that cannot be written keep nobody waiting. */
  private flushSums(activity: QueueActivity): Effect.Effect<void> {
    if (!activity.sums.hasPending) return Effect.void
    return Effect.matchEffect(activity.sums.flush(), {
      onSuccess: () => this.report("write checksums", undefined),
      onFailure: (error) => this.report("write checksums", error)
    })
  }

  private trySync(activity: QueueActivity): Effect.Effect<void> {
    return Effect.matchEffect(this.sync(activity), {
      onSuccess: () => this.report("sync", undefined),
      onFailure: (error) => this.report("sync", error)
    })
  }

  /** Syncs when anything happened since the last sync; otherwise closes the files of a queue that is not in use. */
  syncIfDirty(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity } = this
      if (activity === undefined || this.isClosed) return Effect.void
      return activity.exclusively(this.isUnsynced ? this.trySync(activity) : this.rest(activity))
    })
  }

  /** Removes finished files and records the state without waiting for the disk. */
  saveState(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const activity = this.activate()
      return activity.exclusively(Effect.gen({ self: this }, function*() {
        yield* activity.removeFinished()
        if (!this.isChanged || this.isClosed) return
        this.isChanged = false
        yield* this.flushSums(activity)
        // The next sync tries again, and clears the failure when it succeeds.
        yield* Effect.catch(this.state.save(this.snapshot()), (error) => this.report("sync", error))
      }))
    })
  }

  private rest(activity: QueueActivity): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      if (!activity.isIdle) return
      this.activity = undefined
      yield* activity.close()
      yield* this.state.close()
    })
  }

  // ---- reading

  read(maxBytes: number): Effect.Effect<StoredRun | undefined, StorageError> {
    return Effect.suspend(() => {
      const activity = this.activate()
      return activity.reading(Effect.gen({ self: this }, function*() {
        while (this.hasMore) {
          const run = yield* Effect.catch(this.readOnce(activity, maxBytes), (error) =>
            error.code === "ENOENT"
              ? this.skip(activity, error.text, Infinity)
              : Effect.andThen(this.report("read", error), Effect.fail(StorageError.fromDisk(error))))
          yield* this.report("read", undefined)
          if (run !== undefined) return run
        }
        if (this.waiting !== 0) {
          yield* Effect.logDebug(`${this.label} everything is read, correcting the depth of ${this.waiting}`)
          this.waiting = 0
          this.change()
        }
        return undefined
      }))
    })
  }

  private readOnce(activity: QueueActivity, maxBytes: number): Effect.Effect<StoredRun | undefined, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const [range] = this.again
      const from = range === undefined ? this.cursor : { file: range.file, offset: range.from }
      const opened = yield* activity.reader.fileFor(from.file)
      const isTail = from.file === this.tail.file
      const sealedAt = isTail ? this.tail.offset : activity.sealed.get(from.file)
      const end = sealedAt ?? (yield* activity.reader.sizeOf(opened))
      const limit = Math.min(end, range?.to ?? Infinity)
      if (from.offset >= limit) {
        const missing = isTail || range !== undefined ? undefined : yield* activity.reader.missingAt(opened, end)
        return missing === undefined ? this.leave(range) : yield* this.skip(activity, missing, Infinity)
      }
      const unverifiedFrom = activity.sums.pendingFrom(from.file)
      const result = yield* activity.reader.read(opened, from.offset, limit, maxBytes, unverifiedFrom)
      if (result._tag === "Damage") return yield* this.skip(activity, result.problem, result.next)
      const { bytes, starts } = result
      const count = starts.length - 1
      const size = starts[count]!
      if (range === undefined) this.cursor = { file: from.file, offset: from.offset + size }
      else this.again[0] = { ...range, from: range.from + size }
      const ledger = new OutstandingRun(this, from.file, from.offset, starts)
      activity.addRun(ledger)
      this.waiting = Math.max(0, this.waiting - count)
      activity.operations += count
      if (!this.isChanged) this.change()
      if (activity.operations >= this.options.syncEvery) this.requestSync(activity)
      return { bytes, start: 0, end: size, count, ledger }
    })
  }

  private requestSync(activity: QueueActivity): void {
    activity.isSyncDue = true
    this.startWriter(activity)
  }

  /** Goes on after a range or a file that has been read to its end. */
  private leave(range: QueueRange | undefined): undefined {
    if (range === undefined) this.leaveFile()
    else {
      this.again.shift()
      this.release(range.file)
    }
    return undefined
  }

  private leaveFile(): void {
    const { file } = this.cursor
    const next = this.numbers.find((number) => number > file && number < this.tail.file) ?? this.tail.file
    this.cursor = { file: next, offset: 0 }
    this.release(file)
    this.change()
  }

  /** Something cannot be read: reading goes on at `next`, and the file is set aside once it is finished. */
  private skip(activity: QueueActivity, problem: string, next: number): Effect.Effect<undefined> {
    return Effect.gen({ self: this }, function*() {
      const [range] = this.again
      const { file, offset } = range === undefined ? this.cursor : { file: range.file, offset: range.from }
      const where = next === Infinity ? "the rest of the file" : `${next - offset} bytes`
      yield* Effect.logError(
        `${this.label} reading at ${offset} of ${activity.pathOf(file)} - ${problem}, skipping ${where}`
      )
      activity.damaged.add(file)
      this.change()
      if (range !== undefined) {
        if (next >= range.to) return this.leave(range)
        this.again[0] = { ...range, from: next }
        return undefined
      }
      // Nothing is added to a damaged file.
      if (file === this.tail.file) yield* activity.exclusively(this.moveTail(activity, file))
      if (next === Infinity) this.leaveFile()
      else this.cursor = { file, offset: next }
      return undefined
    })
  }

  private moveTail(activity: QueueActivity, file: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (file !== this.tail.file) return Effect.void
      activity.sealed.set(file, this.tail.offset)
      this.tail = { file: file + 1, offset: 0 }
      return activity.files.moveTo(this.tail)
    })
  }

  // ---- emptying and closing

  get empty(): Effect.Effect<void, StorageError> {
    return this.alone(Effect.gen({ self: this }, function*() {
      yield* Effect.logInfo(`${this.label}: emptying`)
      yield* this.clear()
      yield* this.state.removeMetadata()
      yield* this.state.save(this.snapshot())
    }))
  }

  get delete(): Effect.Effect<void, StorageError> {
    return this.alone(Effect.gen({ self: this }, function*() {
      yield* Effect.logInfo(`${this.label}: deleting`)
      this.isClosed = true
      yield* this.state.remove()
      yield* this.clear()
      yield* this.state.removeMetadata()
      this.host.note(this.name, undefined)
    }))
  }

  /** Reading may need to write, never the other way round: the two are always taken in this order. */
  private alone(effect: Effect.Effect<void, DiskError>): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const activity = this.activate()
      return failing(activity.reading(activity.exclusively(effect)))
    })
  }

  private clear(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const activity = this.activate()
      this.waiting = 0
      this.isChanged = false
      this.isUnsynced = false
      this.again = noRanges
      this.cursor = this.tail = { file: Math.max(activity.files.end.file, this.numbers.at(-1) ?? 0) + 1, offset: 0 }
      yield* activity.reset(this.tail)
      for (const file of this.numbers.slice()) yield* activity.remove(file)
    })
  }

  private close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const activity = this.activate()
      yield* activity.exclusively(Effect.gen({ self: this }, function*() {
        yield* this.writeAll(activity)
        if (this.isClosed) return
        this.isClosed = true
        // NSQ writes its metadata when a queue is closed. One that was never used does not have to wait for the disk.
        if (!this.isUnsynced) {
          return this.state.hasMetadata ? undefined : yield* Effect.ignore(this.state.sync(this.snapshot(), false))
        }
        yield* Effect.catch(this.sync(activity), (error) =>
          Effect.flatMap(ExitStatus, (status) => {
            status.failed = true
            return Effect.logError(`${this.label} failed to sync - ${error.message}`)
          }))
      }))
      yield* activity.close()
      yield* this.state.close()
      this.activity = undefined
    })
  }
}
