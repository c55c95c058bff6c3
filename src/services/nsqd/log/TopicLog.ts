/**
 * The durable log of a topic (docs/durability.md): every message once, whatever the number of channels, and the state of each
 * channel beside it. `append` completes when the messages are stored as the topic's durability says (`LogCommits`). FIN, REQ and
 * timeouts change the state in memory; the changes of all channels are recorded together a few milliseconds later
 * (`StateRecorder`).
 */
import { Effect, type Scope } from "effect"
import * as Path from "node:path"
import type { GuidBlock } from "../../../protocol/client/Guid.ts"
import type { MessageBatch, PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import type { LogStateChanges } from "../../../protocol/storage/LogState.ts"
import type { DiskError } from "../disk/Disk.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import type { LogDurability } from "../options/Durability.ts"
import type { ChannelLog, ChannelOwner } from "./ChannelLog.ts"
import type { Done } from "./CommitGroup.ts"
import type { LogBatch } from "./LogBatch.ts"
import { LogChannels } from "./LogChannels.ts"
import { LogCommits } from "./LogCommits.ts"
import { LogFilling } from "./LogFilling.ts"
import { LogHandover } from "./LogHandover.ts"
import { LogHealth } from "./LogHealth.ts"
import { LogHistory } from "./LogHistory.ts"
import { labelOf, type LogHost, type TopicLogOptions } from "./LogHost.ts"
import { LogReading, type Taken } from "./LogReading.ts"
import { type RecoveredLog, recoverLog } from "./LogRecovery.ts"
import { removeLog } from "./LogRemoval.ts"
import { LogTail } from "./LogTail.ts"
import { NewlyFinished } from "./NewlyFinished.ts"
import { Retention } from "./Retention.ts"
import { SegmentReader } from "./SegmentReader.ts"
import { SegmentRemoval } from "./SegmentRemoval.ts"
import { SegmentWriter } from "./SegmentWriter.ts"
import { StateFile } from "./StateFile.ts"
import { StateRecorder } from "./StateRecorder.ts"
import { WriteGuard } from "./WriteGuard.ts"

const closedError = new StorageError({ reason: StorageErrorReason.Exiting() })

export class TopicLog implements ChannelOwner {
  readonly durability: LogDurability
  /** The messages that the log still has. */
  readonly history: LogHistory
  /** Takes the messages of another queue. */
  readonly filling: LogFilling
  readonly newlyFinished = new NewlyFinished()
  private readonly options: TopicLogOptions
  private readonly label: string
  private readonly host: LogHost
  private readonly logEpoch: number
  private readonly reading: LogReading
  private readonly removal: SegmentRemoval
  private readonly writer: SegmentWriter
  private readonly recorder: StateRecorder
  /** The commits of what is published. */
  readonly commits: LogCommits
  private readonly health: LogHealth
  private readonly guard: WriteGuard
  private readonly channels: LogChannels
  private readonly handover: LogHandover
  /** Called after each commit. */
  private committed: () => void = () => {}
  private isClosed = false

  private constructor(options: TopicLogOptions, host: LogHost, recovered: RecoveredLog) {
    const { directory, durability, segmentBytes } = options
    const { end, lastIssued, segments, state } = recovered
    const isSynced = durability === "synced"
    const epoch = recovered.epoch ?? host.randomEpoch()
    this.options = options
    this.label = labelOf(options.topic)
    this.host = host
    this.durability = durability
    this.logEpoch = epoch
    this.writer = new SegmentWriter(host.disk, segments, { directory, segmentBytes, isSynced, fork: host.fork })
    this.recorder = new StateRecorder(new StateFile(host.disk, options, recovered.generations), {
      fork: host.fork,
      encode: (out, most) => this.encode(out, most),
      tidy: () => this.removal.removeFinished(),
      failed: (error) => this.health.fails("record", StorageError.fromDisk(error)),
      recovered: Effect.suspend(() => this.health.works("record"))
    })
    this.health = new LogHealth(this.label, host.note)
    this.reading = new LogReading(
      new LogTail(host.memory),
      new SegmentReader(host.disk, epoch, segments, host.memory),
      {
        label: this.label,
        health: this.health,
        handed: () => this.handover.handed,
        end: () => this.commits.end,
        lost: (from, to) => this.lose(from, to)
      }
    )
    const retention = new Retention({ disk: host.disk, epoch, segments, wallMillis: host.wallMillis })
    this.removal = new SegmentRemoval({
      label: this.label,
      retention,
      isFull: () => host.refusal(0) !== undefined,
      segmentBytes,
      segments,
      newlyFinished: this.newlyFinished,
      writer: this.writer,
      reading: this.reading,
      fork: host.fork,
      handed: () => this.handover.handed,
      isDoneWith: (from, to) => this.channels.areDoneWith(from, to),
      isIdle: () => this.commits.isIdle,
      needsSpace: () => this.health.isFailing("write") || host.refusal(0) !== undefined,
      trimmed: (removed) => this.history.encodeTrimmed(this.recorder.changes, removed)
    })
    this.commits = new LogCommits(
      {
        writer: this.writer,
        durability,
        epoch,
        buffers: host.memory.buffers,
        checksum: host.memory.checksum,
        fork: host.fork,
        beforeCommit: () => this.guard.beforeCommit(),
        stored: (batches) => this.stored(batches),
        lost: (from, to) => this.lose(from, to),
        failed: (error) => this.guard.failed(error),
        committed: () => this.committed()
      },
      end,
      lastIssued
    )
    this.guard = new WriteGuard({
      label: this.label,
      directory,
      commits: this.commits,
      writer: this.writer,
      recorder: this.recorder,
      health: this.health,
      fork: host.fork,
      wallMillis: host.wallMillis,
      refusal: host.refusal,
      isClosed: () => this.isClosed
    })
    this.channels = new LogChannels(this, {
      recorder: this.recorder,
      health: this.health,
      added: (channel) => this.handover.skipLost(channel),
      noneLeft: () => this.handover.hold()
    })
    const { channels, commits, label, reading, recorder, writer } = this
    this.handover = new LogHandover({ channels, commits, recorder, wallMillis: host.wallMillis }, recovered)
    const { handover } = this
    this.history = new LogHistory({
      label,
      disk: host.disk,
      epoch,
      segments,
      channels,
      commits,
      handover,
      reading,
      recorder,
      retention
    })
    this.filling = new LogFilling({
      disk: host.disk,
      directory,
      channels,
      commits,
      recorder,
      writer,
      refusal: (bytes) => this.isClosed ? closedError : host.refusal(bytes)
    })
    this.channels.restore(state)
  }

  /**
   * Opens the log of a topic with the messages and channels that an earlier process has left, or creates it. Closing the Scope
   * stores everything and closes it.
   */
  static open(options: TopicLogOptions, host: LogHost): Effect.Effect<TopicLog, StorageError, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.mapError(TopicLog.recover(options, host), StorageError.fromDisk),
      (log) => log.close
    )
  }

  private static recover(options: TopicLogOptions, host: LogHost): Effect.Effect<TopicLog, DiskError> {
    return Effect.gen(function*() {
      const { directory, topic } = options
      yield* host.disk.makeDirectory(directory)
      const recovered = yield* recoverLog(host.disk, directory, labelOf(topic))
      const log = new TopicLog(options, host, recovered)
      yield* Effect.onError(log.resume(recovered), () => log.closeFiles)
      return log
    })
  }

  private resume({ epoch, lost, tail }: RecoveredLog): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      if (tail !== undefined) {
        yield* this.writer.resume(tail.segment, tail.size)
        if (!tail.continues) yield* this.writer.leave()
      }
      for (const { from, to } of lost) this.lose(from, to)
      if (epoch === undefined || lost.length > 0) yield* this.recorder.record
      yield* this.host.disk.syncDirectory(Path.dirname(this.options.directory))
    })
  }

  // ---- statistics

  /** Messages that were not handed to the channels yet. */
  get depth(): number {
    return this.handover.depth
  }
  /** All channels may read the messages below this sequence. */
  get handed(): number {
    return this.handover.handed
  }
  /** The names of the channels in the log. */
  get channelNames(): ReadonlyArray<string> {
    return this.channels.names
  }
  wallMillis(): number {
    return this.host.wallMillis()
  }

  // ---- publishing

  /** Calls `committed` whenever messages have been stored. */
  onCommitted(committed: () => void): void {
    this.committed = committed
  }

  /**
   * Stores messages that are accepted at `nanos`, and due at `due` or 0, in ms since the Unix epoch. Completes when they are
   * stored as the durability says, also if the caller does not wait. Their order is that of the calls.
   */
  append(
    bodies: PublishedBodies,
    nanos: bigint,
    ids: GuidBlock,
    due: number,
    done: Done = () => {}
  ): Effect.Effect<void, StorageError> {
    if (this.isClosed) return Effect.fail(closedError)
    const refusal = this.host.refusal(bodies.bodyBytes)
    return refusal === undefined ? this.commits.append(bodies, nanos, ids, due, done) : Effect.fail(refusal)
  }

  private stored(batches: ReadonlyArray<LogBatch>): Effect.Effect<void> {
    this.handover.note(batches)
    const { read } = this.channels
    if (read < Infinity) this.reading.keep(batches, read)
    else for (const batch of batches) batch.release(this.host.memory.buffers)
    return this.guard.works()
  }

  /**
   * The messages from `from` up to, but not including, `to` do not exist. This is recorded before later messages are
   * acknowledged, so that recovery needs to read the last segment only.
   */
  private lose(from: number, to: number): void {
    this.recorder.changes.lost(from, to)
    this.channels.skipLost(from, to)
    this.handover.lose(from, to)
    this.recorder.noteVital()
  }

  // ---- handing over

  /** Lets the channels read all committed messages; returns how many are new to them. */
  handOver(): number {
    return this.handover.handOver()
  }

  /** Keeps new messages from the channels, also after a restart, until `handOver`. */
  hold(): void {
    this.handover.hold()
  }

  // ---- channels

  /** Returns the channel; creates it durably if needed. A new channel gets the messages that were not handed over yet. */
  openChannel(name: string): Effect.Effect<ChannelLog, StorageError> {
    return this.channels.open(name)
  }

  /** Returns an ephemeral channel, which keeps the oldest `most` messages and is not recorded. */
  openEphemeralChannel(name: string, most: number): Effect.Effect<ChannelLog> {
    return this.channels.openEphemeral(name, most)
  }

  /** Deletes the channel, durably unless it is ephemeral. Does nothing if it does not exist. */
  deleteChannel(name: string): Effect.Effect<void, StorageError> {
    return this.channels.delete(name)
  }

  changed(channel: ChannelLog): boolean {
    return this.channels.changed(channel)
  }

  /** The channel of this name, if it is open. */
  channelNamed(name: string): ChannelLog | undefined {
    return this.channels.named(name)
  }

  // ---- reading

  /** The channel's next messages, if they are in memory. */
  next(channel: ChannelLog): MessageBatch | undefined {
    return this.reading.next(channel)
  }

  /**
   * Reads the channel's next messages; `undefined` if the channel has read all. Damaged messages are reported and passed over. `taken`
   * gets them at the moment when they do not wait in the log any more.
   */
  read(channel: ChannelLog, taken?: Taken): Effect.Effect<MessageBatch | undefined, StorageError> {
    return this.reading.read(channel, taken)
  }

  // ---- recording

  /** Completes when all changes are recorded. */
  get recorded(): Effect.Effect<void, StorageError> {
    return Effect.mapError(this.recorder.record, StorageError.fromDisk)
  }

  private *encode(out: LogStateChanges, most: number): Generator<void, void> {
    out.epoch(this.logEpoch)
    this.history.encode(out)
    this.handover.encode(out)
    yield* this.channels.encode(out, most)
  }

  // ---- emptying and closing

  /** Drops the messages that were not handed over. */
  get empty(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.handover.drop()
      return this.recorded
    })
  }

  /** Syncs what was written since the last call. Called periodically for `written` logs. */
  get sync(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { end } = this.commits
      return Effect.matchEffect(Effect.andThen(this.writer.sync, this.recorder.sync), {
        onSuccess: () => Effect.sync(() => this.commits.noteDurable(end)),
        onFailure: (error) => this.guard.failed(error)
      })
    })
  }

  /** Completes when all stored messages are durable. */
  get messagesSynced(): Effect.Effect<void, StorageError> {
    return Effect.mapError(
      Effect.tapError(this.writer.sync, (error) => this.guard.failed(error)),
      StorageError.fromDisk
    )
  }

  /** Deletes the log with its files. After a crash or a failure it is complete or gone. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      this.isClosed = true
      yield* this.commits.settled
      yield* this.storeAll
      yield* removeLog(this.host.disk, this.options.directory)
    }).pipe(Effect.mapError(StorageError.fromDisk), Effect.uninterruptible)
  }

  private get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      if (this.isClosed) return
      yield* this.commits.settled
      this.isClosed = true
      yield* this.storeAll
    })
  }

  private get storeAll(): Effect.Effect<void> {
    return Effect.andThen(this.recorder.record, this.recorder.sync).pipe(
      Effect.catch((error) => Effect.logError(`${this.label}: failed to close - ${error.message}`)),
      Effect.andThen(this.closeFiles)
    )
  }

  private get closeFiles(): Effect.Effect<void> {
    return this.writer.close.pipe(
      Effect.catch((error) => Effect.logError(`${this.label}: failed to close - ${error.message}`)),
      Effect.andThen(this.recorder.close),
      Effect.andThen(Effect.sync(() => this.writer.end())),
      Effect.andThen(this.reading.alone(this.reading.release)),
      Effect.andThen(Effect.sync(() => this.health.close()))
    )
  }
}
