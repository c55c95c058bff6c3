/**
 * A queue of messages in files, in NSQ's format (docs/protocol/files.md#disk-queue), so that a data directory can
 * move between NSQ and this nsqd. Concurrent appends share one write; one read fetches many records.
 *
 * Unlike NSQ, the queue records which messages are settled: after a kill, unsettled messages are read again and
 * settled ones are not. A file is deleted once everything in it is settled, also while the disk refuses writes.
 *
 * One fiber at a time writes, syncs and removes files; it is forked when there is work. Reading proceeds concurrently
 * up to the end of the last successful write; a failed write is taken back. A queue at rest has no fibers and no open
 * files and takes a few hundred bytes: a daemon may have tens of thousands.
 */
import { Effect, Result, type Scope } from "effect"
import * as Path from "node:path"
import { dataFileName, type QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import { DaemonState } from "../../core/DaemonState.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import { ActiveQueue } from "./ActiveQueue.ts"
import type { BackendQueue, QueueView, RecordRun, StoredRun } from "./BackendQueue.ts"
import type { OutstandingRun } from "./OutstandingRun.ts"
import type { QueueActivity, QueueOperation } from "./QueueActivity.ts"
import type { DiskQueueOptions, HostedQueue, QueueHost } from "./QueueHost.ts"
import type { QueueInventory } from "./QueueInventory.ts"
import { nothingFound, QueuePositions } from "./QueuePositions.ts"
import type { ReadQueue } from "./QueueReading.ts"
import { closedQueue, recoverQueue } from "./QueueRecovery.ts"
import type { WrittenQueue } from "./QueueWriter.ts"
import { recentIdentities } from "./RecentRecords.ts"
import { type LoadedState, type Snapshot, StateFile } from "./StateFile.ts"

const failing = <A>(effect: Effect.Effect<A, DiskError>): Effect.Effect<A, StorageError> =>
  Effect.mapError(effect, StorageError.fromDisk)

export class DiskQueue implements BackendQueue, HostedQueue, ReadQueue, WrittenQueue {
  readonly name: string
  private readonly disk: Disk["Service"]
  private readonly options: DiskQueueOptions
  private readonly host: QueueHost
  private readonly state: StateFile
  positions = new QueuePositions([], nothingFound)
  /** The state that only a queue in use has. */
  private activity: ActiveQueue | undefined
  /** Whether the recorded state is out of date. */
  private isChanged = false
  /** Whether anything changed since the last sync. */
  private isUnsynced = false
  isClosed = false

  private constructor(name: string, disk: Disk["Service"], options: DiskQueueOptions, host: QueueHost) {
    this.name = name
    this.disk = disk
    this.options = options
    this.host = host
    this.state = new StateFile(disk, options.dataPath, name)
  }

  /**
   * Opens the queue `name` with the files of the inventory. Closing the Scope syncs the queue and records its state.
   */
  static open(
    name: string,
    disk: Disk["Service"],
    options: DiskQueueOptions,
    inventory: QueueInventory,
    host: QueueHost
  ): Effect.Effect<DiskQueue, StorageError, Scope.Scope> {
    return Effect.suspend(() => {
      const queue = new DiskQueue(name, disk, options, host)
      return Effect.acquireRelease(Effect.as(failing(queue.recover(inventory)), queue), () => queue.close())
    })
  }

  // ---- statistics
  get depth(): number {
    return this.positions.depth
  }

  get bytes(): number {
    return this.positions.bytes(this.options.maxBytesPerFile)
  }

  get hasMore(): boolean {
    return this.positions.hasMore
  }

  get isAtRest(): boolean {
    return this.activity === undefined
  }

  get syncEvery(): number {
    return this.options.syncEvery
  }

  get fork(): (work: Effect.Effect<void>) => void {
    return this.host.fork
  }

  // ---- opening

  private recover(inventory: QueueInventory): Effect.Effect<void, DiskError> {
    const loaded = this.state.load(inventory)
    if (Result.isFailure(loaded)) return Effect.fail(loaded.failure)
    const closed = closedQueue(this.disk, this.paths, inventory, loaded.success)
    if (closed === undefined) return this.repair(inventory, loaded.success)
    this.positions = new QueuePositions(inventory.data, closed)
    return Effect.void
  }

  private get paths() {
    return (file: number): string => Path.join(this.options.dataPath, dataFileName(this.name, file))
  }

  /** Recovers what the saved state does not contain. */
  private repair(inventory: QueueInventory, { metadata, state }: LoadedState): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const found = yield* recoverQueue(
        this.disk,
        this.label,
        this.paths,
        this.options.maxMsgSize,
        inventory,
        { metadata, state: state?.isExtended === true ? yield* this.state.extended(state) : state }
      )
      this.positions = new QueuePositions(inventory.data, found)
      if (!found.trustsChecksums && inventory.sums.length > 0) yield* this.activate().removeSums(inventory.sums)
      if (found.torn !== undefined) yield* this.cut(found.torn)
      if (found.finished.length > 0) this.activate().finished.push(...found.finished)
      if (found.changed) this.change()
    })
  }

  /** Cuts off a record that a crash left incomplete, so that it is not reported as damage later. */
  private cut(position: QueuePosition): Effect.Effect<void> {
    const activity = this.activate()
    const what = `an incomplete record at ${position.offset} of ${activity.pathOf(position.file)}`
    return Effect.matchEffect(activity.files.cut(position), {
      onSuccess: () => Effect.logWarning(`${this.label} cut off ${what}`),
      onFailure: (error) => Effect.logError(`${this.label} failed to cut off ${what} - ${error.message}`)
    })
  }

  // ---- state

  get label(): string {
    return `DISKQUEUE(${this.name})`
  }

  private activate(): ActiveQueue {
    if (this.activity !== undefined) return this.activity
    this.activity = new ActiveQueue(this.disk, this.name, this.options, this)
    this.host.changed(this)
    return this.activity
  }

  change(): void {
    this.isChanged = true
    this.isUnsynced = true
    this.activate()
    this.host.changed(this)
  }

  private snapshot(): Snapshot {
    const { rangesToRead, read, recent, tail: write, waiting } = this.positions
    const unsettled = [...rangesToRead]
    let depth = waiting
    for (const run of this.activity?.runs ?? []) {
      depth += run.unsettled
      unsettled.push(...run.unsettledRanges)
    }
    return { depth, read, write, unsettled, recent: this.isClosed ? undefined : recent }
  }

  noteChange(): void {
    if (!this.isChanged) this.change()
  }

  report(operation: QueueOperation, error: DiskError | undefined): Effect.Effect<void> {
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
    this.noteChange()
  }

  finished(run: OutstandingRun): void {
    const { activity } = this
    if (activity === undefined || !activity.removeRun(run)) return
    this.release(run.file)
  }

  /** A file that reading has left and that has no unsettled messages is finished. */
  release(file: number): void {
    const activity = this.activate()
    if (this.positions.needs(file) || activity.hasRunsOf(file)) return
    activity.finished.push(file)
    this.change()
  }

  // ---- writing

  append(runs: ReadonlyArray<RecordRun>): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => this.activate().writer.append(runs))
  }

  get ensureMetadata(): Effect.Effect<void> {
    return this.state.hasMetadata ? Effect.void : Effect.ignore(this.state.sync(() => this.snapshot(), false))
  }

  // ---- syncing

  private syncNow(activity: QueueActivity): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      activity.isSyncDue = false
      activity.operations = 0
      yield* activity.removeFinished()
      yield* activity.files.sync()
      yield* this.state.sync(() => {
        this.isUnsynced = false
        this.isChanged = false
        return this.snapshot()
      }, true)
    }).pipe(Effect.tapError(() => Effect.sync(() => this.change())))
  }

  /** Failed checksum writes do not make anything wait. */
  private flushSums(activity: QueueActivity): Effect.Effect<void> {
    // The checksums of a removed file are no longer missing.
    if (!activity.sums.hasPending) return this.report("write checksums", undefined)
    return Effect.matchEffect(activity.sums.flush(), {
      onSuccess: () => this.report("write checksums", undefined),
      onFailure: (error) => this.report("write checksums", error)
    })
  }

  trySync(activity: QueueActivity): Effect.Effect<void> {
    return Effect.matchEffect(this.syncNow(activity), {
      onSuccess: () => this.report("sync", undefined),
      onFailure: (error) => this.report("sync", error)
    })
  }

  get syncIfDirty(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity } = this
      if (activity === undefined || this.isClosed) return Effect.void
      return activity.exclusively(Effect.gen({ self: this }, function*() {
        yield* this.flushSums(activity)
        if (!this.host.isFull()) yield* activity.writer.probe()
        yield* this.isUnsynced ? this.trySync(activity) : this.rest(activity)
      }))
    })
  }

  get saveState(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isClosed || !this.isChanged) return Effect.void
      const activity = this.activate()
      const save = this.state.save(() => {
        if (this.isClosed) return undefined
        this.isChanged = false
        return this.snapshot()
      })
      // The next sync retries, and clears the failure when it succeeds.
      return activity.beside(Effect.catch(save, (error) => this.report("sync", error)))
    })
  }

  get tidy(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { activity } = this
      if (activity === undefined || this.isClosed || activity.isTidying) return Effect.void
      const holdsSpace = (): boolean => this.host.isFull() && activity.writer.isDrained
      if (!activity.needsTidying && !holdsSpace()) return Effect.void
      activity.isTidying = true
      return activity.exclusively(Effect.gen({ self: this }, function*() {
        activity.isTidying = false
        if (holdsSpace()) yield* activity.writer.leaveTail()
        yield* activity.removeFinished()
        if (!this.isClosed) yield* this.flushSums(activity)
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
    return Effect.suspend(() => failing(this.activate().reads.read(maxBytes)))
  }

  get view(): QueueView {
    const { disk, name, options, positions } = this
    // Few queues are looked at.
    const open = Effect.flatMap(
      Effect.promise(() => import("./QueueView.ts")),
      ({ openView }) => openView(disk, name, options, positions, () => this.activity)
    )
    return { tail: positions.tail, open }
  }

  get recent(): Effect.Effect<ReadonlySet<string>, StorageError> {
    const { disk, options: { maxMsgSize }, paths } = this
    return Effect.suspend(() => failing(recentIdentities(disk, paths, this.positions, maxMsgSize)))
  }

  get sync(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const activity = this.activate()
      return failing(activity.exclusively(Effect.andThen(activity.writer.writeAll(), this.syncNow(activity))))
    })
  }

  // ---- emptying and closing

  get empty(): Effect.Effect<void, StorageError> {
    return this.alone(Effect.gen({ self: this }, function*() {
      yield* Effect.logInfo(`${this.label}: emptying`)
      yield* this.clear()
      yield* this.state.removeMetadata()
      yield* this.state.save(() => this.snapshot())
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

  /** Reading may need the write lock, never the other way round: the locks are always taken in this order. */
  private alone(effect: Effect.Effect<void, DiskError>): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const activity = this.activate()
      return failing(activity.reading(activity.exclusively(effect)))
    })
  }

  private clear(): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const activity = this.activate()
      const { positions } = this
      this.isChanged = false
      this.isUnsynced = false
      positions.restart(Math.max(activity.files.end.file, positions.numbers.at(-1) ?? 0) + 1)
      yield* activity.reset(positions.tail)
      for (const file of positions.numbers.slice()) yield* activity.remove(file)
    })
  }

  private close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const activity = this.activate()
      yield* activity.exclusively(Effect.gen({ self: this }, function*() {
        yield* activity.writer.writeAll()
        if (this.isClosed) return
        yield* this.flushSums(activity)
        this.isClosed = true
        // NSQ writes its metadata file when a queue is closed. For an unused queue there is no need to wait for the
        // disk.
        if (!this.isUnsynced) {
          if (this.state.hasMetadata && !this.state.isOpen) return
          return yield* Effect.ignore(this.state.describe(() => this.snapshot()))
        }
        yield* Effect.catch(
          this.syncNow(activity),
          (error) =>
            Effect.andThen(DaemonState.lose, Effect.logError(`${this.label} failed to sync - ${error.message}`))
        )
      }))
      yield* activity.close()
      yield* this.state.close()
      this.activity = undefined
      this.host.closed(this)
    })
  }
}
