/**
 * The durable log of a topic (docs/durability.md): every message once, whatever the number of channels, and the state of each
 * channel beside it. `append` completes when the messages are stored as the topic's durability says.
 *
 * One commit is written at a time. What is published meanwhile forms the next, so that many publishers share one durable write
 * and a single one waits for no timer. FIN, REQ and timeouts change the state in memory; the changes of all channels are
 * recorded together a few milliseconds later.
 */
import { Effect, Exit, Schedule, type Scope, Semaphore } from "effect"
import * as Path from "node:path"
import { guidAt, type GuidBlock, readGuid } from "../../../protocol/client/Guid.ts"
import { frameIdOffset, type MessageBatch, type PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import { parseLogFileName } from "../../../protocol/storage/LogFiles.ts"
import { type LogStateChanges, LogStateEncoder } from "../../../protocol/storage/LogState.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import type { LogDurability } from "../options/Durability.ts"
import { ChannelLog, type ChannelOwner, ephemeralNumber } from "./ChannelLog.ts"
import { CommitGroup } from "./CommitGroup.ts"
import * as Filling from "./Filling.ts"
import type { LogBatch } from "./LogBatch.ts"
import { LogHealth } from "./LogHealth.ts"
import type { LogMemory } from "./LogMemory.ts"
import { type DeferredRange, type RecoveredLog, recoverLog } from "./LogRecovery.ts"
import { LogTail } from "./LogTail.ts"
import type { Segment, Segments } from "./Segment.ts"
import { SegmentReader } from "./SegmentReader.ts"
import { SegmentWriter } from "./SegmentWriter.ts"
import { StateFile } from "./StateFile.ts"

export interface TopicLogOptions {
  /** The topic's name in the log. */
  readonly topic: string
  /** Its parent must exist. */
  readonly directory: string
  readonly durability: LogDurability
  /** A segment is closed when it would become larger, in bytes. */
  readonly segmentBytes: number
}

/** What a log needs from its owner. */
export interface LogHost {
  readonly disk: Disk["Service"]
  /** Shared by all logs. */
  readonly memory: LogMemory
  /** The wall clock, in ms since the Unix epoch. */
  readonly wallMillis: () => number
  /** Returns a random number of 32 bits. */
  readonly randomEpoch: () => number
  /** Runs the log's own work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** Sets the last failure of a part of a log; `undefined` once the part works again. */
  readonly note: (part: string, error: StorageError | undefined) => void
  /** Returns why messages of this size, in bytes, are refused before they are written; `undefined` if there is space. */
  readonly refusal: (bytes: number) => StorageError | undefined
}

/** Changes of channels are recorded after this time, in ms: what is finished in it may be delivered again after a kill. */
const recordMillis = 20
/** Time between attempts to write and to record changes while the disk fails, in ms. */
const retryMillis = 500
/** Time between checks that the files were not removed, in ms. */
const verifyMillis = 1000
/**
 * Attempts to read a log at the start, over about three seconds. A start without the unreadable messages would lose them, so that
 * it fails after the last one.
 */
const startRetries = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 5 }))
/** Publishers wait while this many bytes wait to be committed. */
const waitingBytes = 16 * 1024 * 1024
/** Space in a group for each byte of the larger of the two groups before. */
const groupRoom = 1.25
/** A segment whose messages are all finished is left when it has this size, so that an idle topic takes little space. */
const idleSegmentBytes = 1024 * 1024

/** Batches of deferred messages that a topic keeps in memory while it is paused or has no channels. */
const deferredMost = 10_000

const closedError = new StorageError({ reason: StorageErrorReason.Exiting() })

export class TopicLog implements ChannelOwner {
  readonly durability: LogDurability
  private readonly options: TopicLogOptions
  private readonly host: LogHost
  private readonly logEpoch: number
  private readonly segments: Segments
  private readonly reader: SegmentReader
  private readonly writer: SegmentWriter
  private readonly state: StateFile
  private readonly health: LogHealth
  private verifiedAt = 0
  private readonly tail: LogTail
  private readonly channels = new Map<string, ChannelLog>()
  /** The ephemeral channels, and how many messages each keeps. */
  private readonly ephemeral = new Map<ChannelLog, number>()
  private lastChannel: number
  private group: CommitGroup
  private lastGroupBytes = 0
  /** The group that is being written, or will be in this turn. */
  private committing: CommitGroup | undefined
  /** Called after each commit. */
  private committed: () => void = () => {}
  /** The sequence after the last committed message. */
  private end: number
  private handedTo: number
  /** Messages between `handedTo` and `end` that do not exist. */
  private lostAhead = 0
  /** Messages below are durable. */
  private durableTo: number
  private isHeld: boolean
  /** Deferred messages that were not handed over yet; channels defer further ones when they read them. */
  private deferred: Array<DeferredRange>
  private lastId: Pick<GuidBlock, "unit" | "sequence"> | undefined
  private readonly dirty = new Set<ChannelLog>()
  private readonly changes = new LogStateEncoder()
  private isRecordingDue = false
  private readonly recording = Semaphore.makeUnsafe(1)
  private readonly reading = Semaphore.makeUnsafe(1)
  private isClosed = false

  private constructor(options: TopicLogOptions, host: LogHost, recovered: RecoveredLog) {
    const { directory, durability, segmentBytes } = options
    const isSynced = durability === "synced"
    this.options = options
    this.host = host
    this.durability = durability
    this.logEpoch = recovered.epoch ?? host.randomEpoch()
    this.segments = recovered.segments
    this.reader = new SegmentReader(host.disk, this.logEpoch, this.segments, host.memory)
    this.tail = new LogTail(host.memory)
    this.writer = new SegmentWriter(host.disk, this.segments, { directory, segmentBytes, isSynced, fork: host.fork })
    this.state = new StateFile(host.disk, directory, isSynced, recovered.generation)
    this.health = new LogHealth(`LOG(${options.topic})`, host.note)
    this.end = recovered.end
    this.durableTo = recovered.end
    this.group = new CommitGroup(this.end, 0)
    this.lastChannel = recovered.state.lastChannel
    const lastFrame = recovered.lastFrame === undefined ? undefined : readGuid(recovered.lastFrame, frameIdOffset)
    this.lastId = laterId(recovered.state.lastIssued, lastFrame)
    for (const channel of recovered.state.channels) {
      this.channels.set(channel.name, new ChannelLog(channel.number, channel.name, this, channel))
    }
    const { heldFrom } = recovered.state
    this.isHeld = heldFrom !== undefined || this.channels.size === 0
    // All messages of a topic without channels still wait, whether or not its state says so yet.
    const unheld = this.channels.size > 0 ? recovered.end : recovered.segments.all[0]?.first ?? recovered.end
    this.handedTo = heldFrom ?? unheld
    this.deferred = recovered.deferred.filter(({ first }) => first >= this.handedTo).slice(0, deferredMost)
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
      const recovered = yield* recoverLog(host.disk, directory).pipe(
        Effect.tapError((error) => Effect.logWarning(`LOG(${topic}): failed to read - ${error.message}`)),
        Effect.retry({ schedule: startRetries, while: ({ code }) => code === "EIO" })
      )
      for (const report of recovered.reports) yield* Effect.logWarning(`LOG(${topic}): ${report}`)
      const log = new TopicLog(options, host, recovered)
      if (recovered.tail !== undefined) yield* log.writer.resume(recovered.tail.segment, recovered.tail.size)
      for (const { from, to } of recovered.lost) log.lose(from, to)
      if (recovered.epoch === undefined || recovered.lost.length > 0) yield* log.record
      yield* host.disk.syncDirectory(Path.dirname(directory))
      return log
    })
  }

  // ---- statistics

  /** Messages that were not handed to the channels yet. */
  get depth(): number {
    return this.end - this.handedTo - this.lostAhead
  }
  /** All channels may read the messages below this sequence. */
  get handed(): number {
    return this.handedTo
  }
  /** The last message id of an earlier process or of this one; new ids have to be higher. */
  get lastIssued(): Pick<GuidBlock, "unit" | "sequence"> | undefined {
    return this.lastId
  }
  /** The names of the channels in the log. */
  get channelNames(): ReadonlyArray<string> {
    return Array.from(this.channels.values()).filter((channel) => !this.ephemeral.has(channel)).map(({ name }) => name)
  }
  wallMillis(): number {
    return this.host.wallMillis()
  }
  private get label(): string {
    return `LOG(${this.options.topic})`
  }

  // ---- publishing

  /** Calls `committed` whenever messages have been stored. */
  onCommitted(committed: () => void): void {
    this.committed = committed
  }

  /**
   * Stores messages that are accepted at `nanos`, and due at `due` or 0, in ms since the Unix epoch. Completes when they are
   * stored as the durability says. Their order is that of the calls.
   */
  append(bodies: PublishedBodies, nanos: bigint, ids: GuidBlock, due: number): Effect.Effect<void, StorageError> {
    if (this.isClosed) return Effect.fail(closedError)
    const refusal = this.host.refusal(bodies.bodyBytes)
    if (refusal !== undefined) return Effect.fail(refusal)
    const { group } = this
    if (group.bytes >= waitingBytes) {
      return Effect.andThen(Effect.exit(completion(group)), Effect.suspend(() => this.append(bodies, nanos, ids, due)))
    }
    group.add(bodies, nanos, ids, due)
    this.lastId = guidAt(ids, bodies.count - 1)
    return this.commit(group)
  }

  /**
   * Stores messages of another queue as they are, with their ids, timestamps and attempts. Returns the sequence of the first one
   * when they are stored.
   */
  appendFrames(frames: Buffer, count: number, nanos: bigint, due: number): Effect.Effect<number, StorageError> {
    return Effect.suspend((): Effect.Effect<number, StorageError> => {
      if (this.isClosed) return Effect.fail(closedError)
      const refusal = this.host.refusal(frames.length)
      if (refusal !== undefined) return Effect.fail(refusal)
      const { group } = this
      if (group.bytes >= waitingBytes) {
        return Effect.andThen(Effect.exit(completion(group)), this.appendFrames(frames, count, nanos, due))
      }
      const first = group.end
      group.addFrames(frames, count, nanos, due)
      return Effect.as(this.commit(group), first)
    })
  }

  private commit(group: CommitGroup): Effect.Effect<void, StorageError> {
    if (this.committing === undefined) {
      this.committing = group
      // Publishes of the same turn share the commit.
      this.host.fork(Effect.andThen(Effect.yieldNow, this.commitAll))
    }
    return completion(group)
  }

  private get commitAll(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.group.count > 0) {
        const { group } = this
        this.committing = group
        // Groups often alternate in size: publishers that get the responses of one commit publish while the next is written.
        this.group = new CommitGroup(group.end, Math.ceil(Math.max(this.lastGroupBytes, group.bytes) * groupRoom))
        this.lastGroupBytes = group.bytes
        const durable = this.options.durability === "synced" ? this.end : this.durableTo
        if (Math.abs(this.wallMillis() - this.verifiedAt) >= verifyMillis) yield* this.verify
        const written = yield* Effect.exit(this.writer.commit(group.seal(this.logEpoch, durable), group.end))
        this.end = group.end
        if (Exit.isSuccess(written)) {
          this.keepForDelivery(group.batches)
          if (this.health.isFailing("write")) yield* this.health.works("write")
        } else {
          this.lose(group.first, group.end)
          yield* Effect.catch(written, (error) => this.failed(error))
        }
        // Before the publishers go on: a channel that one of them creates next must not get these messages.
        this.committed()
        group.complete(Effect.mapError(written, StorageError.fromDisk))
      }
      this.committing = undefined
    }).pipe(Effect.uninterruptible)
  }

  /**
   * Checks before a commit that no other program has removed the files: the open ones could still be written, and everything in
   * them would be lost.
   */
  private get verify(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.verifiedAt = this.wallMillis()
      // The commit finds out whatever else is wrong.
      const isThere = yield* Effect.orElseSucceed(this.writer.verify, () => true)
      if (isThere) return
      yield* Effect.logError(`${this.label}: the files in ${this.options.directory} were removed, starting new ones`)
      yield* this.recording.withPermit(this.state.close)
      this.recordSoon()
    })
  }

  private keepForDelivery(batches: ReadonlyArray<LogBatch>): void {
    for (const batch of batches) {
      const { due, end, first } = batch
      // Without their frames, which would stay in memory.
      if (due > 0 && this.deferred.length < deferredMost) this.deferred.push({ due, end, first })
    }
    let read = Infinity
    for (const { cursor } of this.channels.values()) read = Math.min(read, cursor)
    if (read === Infinity) return
    this.tail.trim(read)
    for (const batch of batches) this.tail.push(batch)
  }

  /** Writing has failed: publishes try it again, and so does the log itself, because a load balancer may send none. */
  private failed(error: DiskError): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.health.isFailing("write")) this.host.fork(this.repair)
      return this.health.fails("write", StorageError.fromDisk(error))
    })
  }

  /** Tries to start a segment until that or a publish succeeds. */
  private get repair(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      do {
        yield* Effect.sleep(retryMillis)
        if (this.isClosed || !this.health.isFailing("write")) return
        if (this.committing !== undefined || this.host.refusal(0) !== undefined) continue
        const prepared = yield* Effect.exit(this.writer.prepare(this.end))
        if (Exit.isSuccess(prepared)) yield* this.health.works("write")
      } while (this.health.isFailing("write"))
    })
  }

  /** The messages from `from` up to, but not including, `to` do not exist. */
  private lose(from: number, to: number): void {
    this.changes.lost(from, to)
    for (const channel of this.channels.values()) channel.skipLost(from, to)
    if (from >= this.handedTo) this.lostAhead += to - from
    this.recordSoon()
  }

  // ---- filling

  /** Whether the log has never had a message or a channel. */
  get isNew(): boolean {
    return this.end === 1 && this.channels.size === 0
  }

  /** The log is incomplete until `endFilling`: if the process ends before, it is empty at the next opening. */
  get beginFilling(): Effect.Effect<void, StorageError> {
    return Effect.mapError(Filling.begin(this.host.disk, this.options.directory), StorageError.fromDisk)
  }

  /** Completes when everything, the state of the channels included, is durable, and the log is complete. */
  get endFilling(): Effect.Effect<void, StorageError> {
    return this.record.pipe(
      Effect.andThen(this.writer.sync),
      Effect.andThen(this.state.sync),
      Effect.andThen(Filling.end(this.host.disk, this.options.directory)),
      Effect.mapError(StorageError.fromDisk)
    )
  }

  /** Gives the messages from `from` up to, but not including, `to` to one channel: the others have finished them. */
  giveTo(owner: ChannelLog, from: number, to: number): void {
    for (const channel of this.channels.values()) if (channel !== owner) channel.skip(from, to)
  }

  // ---- handing over

  /** Lets the channels read all committed messages; returns how many are new to them. */
  handOver(): number {
    const count = this.depth
    for (const [channel, most] of this.ephemeral) channel.keepOldest(this.handedTo, this.end, most)
    this.handedTo = this.end
    this.lostAhead = 0
    this.deferAhead()
    const wasHeld = this.isHeld
    // An ephemeral channel does not remember what it has got.
    this.isHeld = this.hasNoChannels
    if (this.isHeld) this.changes.held(this.handedTo)
    else if (wasHeld) this.changes.released()
    if (this.isHeld || wasHeld) this.recordSoon()
    return count
  }

  /** Whether the topic has ephemeral channels at most. */
  private get hasNoChannels(): boolean {
    return this.channels.size === this.ephemeral.size
  }

  private deferAhead(): void {
    if (this.deferred.length === 0) return
    const now = this.wallMillis()
    for (const batch of this.deferred) {
      if (batch.due > now) { for (const channel of this.channels.values()) channel.deferAhead(batch) }
    }
    this.deferred = []
  }

  /** Keeps new messages from the channels, also after a restart, until `handOver`. */
  hold(): void {
    if (this.isHeld) return
    this.isHeld = true
    this.changes.held(this.handedTo)
    this.recordSoon()
  }

  // ---- channels

  /** Returns the channel; creates it durably if needed. A new channel gets the messages that were not handed over yet. */
  openChannel(name: string): Effect.Effect<ChannelLog, StorageError> {
    return Effect.suspend(() => {
      const existing = this.channels.get(name)
      if (existing !== undefined) return Effect.succeed(existing)
      const channel = ChannelLog.startingAt(this.handedTo, ++this.lastChannel, name, this)
      this.channels.set(name, channel)
      this.changes.created(channel.number, name, this.handedTo)
      return Effect.as(Effect.mapError(this.record, StorageError.fromDisk), channel)
    })
  }

  /** Returns an ephemeral channel, which keeps the oldest `most` messages and is not recorded. */
  openEphemeralChannel(name: string, most: number): Effect.Effect<ChannelLog> {
    return Effect.sync(() => {
      const existing = this.channels.get(name)
      if (existing !== undefined) {
        this.ephemeral.set(existing, most)
        return existing
      }
      const channel = ChannelLog.startingAt(this.handedTo, ephemeralNumber, name, this)
      this.channels.set(name, channel)
      this.ephemeral.set(channel, most)
      return channel
    })
  }

  deleteChannel(name: string): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const channel = this.channels.get(name)
      if (channel === undefined) return Effect.void
      this.channels.delete(name)
      this.dirty.delete(channel)
      this.health.readWorks(name)
      if (this.ephemeral.delete(channel)) return Effect.void
      this.changes.deleted(channel.number)
      if (this.hasNoChannels) this.hold()
      return this.recorded
    })
  }

  changed(channel: ChannelLog): void {
    this.dirty.add(channel)
    this.recordSoon()
  }

  // ---- reading

  /** The channel's next messages, if they are in memory. */
  next(channel: ChannelLog): MessageBatch | undefined {
    for (let wanted = channel.wanted; wanted !== undefined; wanted = channel.wanted) {
      const batch = this.tail.find(wanted) ?? this.reader.find(wanted)
      if (batch === undefined) return undefined
      const taken = channel.take(batch)
      if (taken !== undefined) return taken
    }
    return undefined
  }

  /** Reads the channel's next messages; `undefined` if there are none. Damaged messages are reported and passed over. */
  read(channel: ChannelLog): Effect.Effect<MessageBatch | undefined, StorageError> {
    const read = this.reading.withPermit(Effect.gen({ self: this }, function*() {
      for (;;) {
        const ready = this.next(channel)
        if (ready !== undefined) return ready
        const { wanted } = channel
        if (wanted === undefined) return undefined
        const found = yield* this.reader.read(wanted, this.handedTo)
        if (found._tag === "Damage") {
          const { description, from, to } = found
          yield* Effect.logError(`${this.label}: ${description}; messages lost: ${to - from}`)
          this.lose(from, to)
          continue
        }
        // While this was read, an earlier message may have been returned, or everything dropped.
        const { wanted: still } = channel
        if (still === undefined || still < found.first || still >= found.end) continue
        const taken = channel.take(found)
        if (taken !== undefined) return taken
      }
    }))
    return Effect.matchEffect(read, {
      onSuccess: (batch) => {
        this.health.readWorks(channel.name)
        return Effect.succeed(batch)
      },
      onFailure: (cause) => {
        const error = StorageError.fromDisk(cause)
        this.health.readFails(channel.name, error)
        return Effect.fail(error)
      }
    })
  }

  /** Reads messages from `from` on that were not handed over; `undefined` behind the last one. */
  readHeld(from: number): Effect.Effect<LogBatch | undefined, StorageError> {
    return this.reading.withPermit(Effect.gen({ self: this }, function*() {
      for (let at = from; at < this.end;) {
        const found = this.tail.find(at) ?? (yield* this.reader.read(at, this.end))
        if (found._tag === "LogBatch") return found
        const { description, from, to } = found
        yield* Effect.logError(`${this.label}: ${description}; messages lost: ${to - from}`)
        this.lose(from, to)
        at = to
      }
      return undefined
    })).pipe(Effect.mapError(StorageError.fromDisk))
  }

  // ---- recording

  private recordSoon(): void {
    if (this.isRecordingDue || this.isClosed) return
    this.isRecordingDue = true
    this.host.fork(Effect.delay(this.recordOrRetry, recordMillis))
  }

  private get recordOrRetry(): Effect.Effect<void> {
    return Effect.ignore(Effect.suspend(() => {
      this.isRecordingDue = false
      return this.isClosed ? Effect.void : this.record
    }))
  }

  private retryRecord(error: DiskError): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.isRecordingDue && !this.isClosed) {
        this.isRecordingDue = true
        this.host.fork(Effect.delay(this.recordOrRetry, retryMillis))
      }
      return this.health.fails("record", StorageError.fromDisk(error))
    })
  }

  /** Records all changes, and removes segments that no channel needs any more. */
  private get record(): Effect.Effect<void, DiskError> {
    return this.recording.withPermit(Effect.gen({ self: this }, function*() {
      const finished = this.finishedSegments()
      if (this.state.needsCheckpoint) {
        yield* this.state.checkpoint((out) => {
          // The whole state replaces all changes up to this moment.
          this.changes.clear()
          this.dirty.clear()
          this.encode(out)
        })
      } else {
        const changed = Array.from(this.dirty)
        this.dirty.clear()
        for (const channel of changed) channel.takeChanges(this.changes)
        const { encoded } = this.changes
        const changes = Buffer.from(encoded)
        this.changes.clear()
        if (changes.length > 0) yield* this.state.append(changes)
      }
      yield* this.removeSegments(finished)
      if (this.health.isFailing("record")) yield* this.health.works("record")
    })).pipe(Effect.tapError((error) => this.retryRecord(error)), Effect.uninterruptible)
  }

  /** Completes when all changes are recorded. */
  get recorded(): Effect.Effect<void, StorageError> {
    return Effect.mapError(this.record, StorageError.fromDisk)
  }

  private encode(out: LogStateChanges): void {
    out.epoch(this.logEpoch)
    out.trimmed(this.segments.all[0]?.first ?? this.end)
    if (this.lastId !== undefined) out.issued(this.lastId.unit, this.lastId.sequence)
    if (this.isHeld) out.held(this.handedTo)
    for (const channel of this.channels.values()) if (!this.ephemeral.has(channel)) channel.encode(out)
  }

  // ---- segments

  /** The segments whose messages are all handed over and finished by all channels. */
  private finishedSegments(): ReadonlySet<Segment> {
    const finished = new Set<Segment>()
    const channels = Array.from(this.channels.values())
    for (const segment of this.segments.all) {
      if (segment === this.segments.last && !this.leavesLast(segment)) continue
      const { end, first } = segment
      if (end <= this.handedTo && channels.every((channel) => channel.isDoneWith(first, end))) finished.add(segment)
    }
    return finished
  }

  /** Whether the last segment may be removed: it has grown or its space is needed, and nothing is being written to it. */
  private leavesLast(segment: Segment): boolean {
    if (this.committing !== undefined || this.writer.isPreparing) return false
    return this.health.isFailing("write") || this.host.refusal(0) !== undefined ||
      (segment.size ?? 0) >= idleSegmentBytes
  }

  private removeSegments(finished: ReadonlySet<Segment>): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const removed = new Set<Segment>()
      for (const segment of finished) {
        if (segment === this.segments.last) {
          // A commit may have begun meanwhile.
          if (!this.leavesLast(segment)) continue
          // Without segments, the state alone tells the next sequence and the next id.
          const end = this.encodeEnd()
          yield* this.writer.leave
          yield* this.state.append(end)
        }
        removed.add(segment)
      }
      if (removed.size === 0) return
      this.segments.remove(removed)
      // A file that is still read must not get records of another segment.
      yield* this.reading.withPermit(
        Effect.andThen(this.reader.close, Effect.forEach(removed, (segment) => this.writer.reclaim(segment)))
      )
    })
  }

  private encodeEnd(): Buffer {
    const out = new LogStateEncoder()
    out.trimmed(this.end)
    if (this.lastId !== undefined) out.issued(this.lastId.unit, this.lastId.sequence)
    return out.encoded
  }

  // ---- emptying and closing

  /** Drops the messages that were not handed over. */
  get empty(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const from = this.handedTo
      this.handedTo = this.end
      this.lostAhead = 0
      this.deferred = []
      for (const channel of this.channels.values()) channel.skipLost(from, this.end)
      this.changes.lost(from, this.end)
      if (this.isHeld) this.changes.held(this.handedTo)
      return Effect.mapError(this.record, StorageError.fromDisk)
    })
  }

  /** Syncs what was written since the last call. Called periodically for `written` logs. */
  get sync(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { end } = this
      if (!this.writer.isUnsynced) return Effect.void
      return Effect.matchEffect(Effect.andThen(this.writer.sync, this.state.sync), {
        onSuccess: () => Effect.sync(() => void (this.durableTo = Math.max(this.durableTo, end))),
        onFailure: (error) => this.failed(error)
      })
    })
  }

  /** Deletes the log with its files. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      this.isClosed = true
      const { directory } = this.options
      yield* this.recording.withPermit(Effect.andThen(this.writer.close, this.state.close))
      yield* this.release
      const { disk } = this.host
      const names = yield* disk.list(directory)
      // The state leaves last: without it the segments would be messages of a topic without channels.
      const isState = (name: string): boolean => parseLogFileName(name)?.kind === "state"
      for (const name of [...names.filter((name) => !isState(name)), ...names.filter(isState)]) {
        yield* disk.remove(Path.join(directory, name))
      }
      yield* disk.removeDirectory(directory)
      yield* disk.syncDirectory(Path.dirname(directory))
    }).pipe(Effect.mapError(StorageError.fromDisk), Effect.uninterruptible)
  }

  /** Releases what is in memory, and ends what waits for commits. */
  private get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.writer.end()
      this.tail.clear()
      this.reader.clear()
      return this.reader.close
    })
  }

  private get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      if (this.isClosed) return
      while (this.committing !== undefined) yield* Effect.exit(completion(this.committing))
      yield* Effect.ensuring(this.record, Effect.sync(() => void (this.isClosed = true)))
      yield* this.writer.close
      yield* this.state.sync
    }).pipe(
      Effect.catch((error) => Effect.logError(`${this.label}: failed to close - ${error.message}`)),
      Effect.ensuring(Effect.all([this.writer.abandon, this.state.close, this.release])),
      Effect.ensuring(Effect.sync(() => this.health.close()))
    )
  }
}

/** Completes with the group's commit. */
const completion = (group: CommitGroup): Effect.Effect<void, StorageError> =>
  Effect.callback((resume) => {
    if (group.result === undefined) group.waiting.push(resume)
    else resume(group.result)
  })

const laterId = (
  a: Pick<GuidBlock, "unit" | "sequence"> | undefined,
  b: Pick<GuidBlock, "unit" | "sequence"> | undefined
): Pick<GuidBlock, "unit" | "sequence"> | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  return a.unit > b.unit || (a.unit === b.unit && a.sequence > b.sequence) ? a : b
}
