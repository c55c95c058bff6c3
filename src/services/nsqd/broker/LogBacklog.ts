/**
 * The waiting messages of a durable topic's channel: those of the log that the channel has not finished. Returned messages wait
 * in memory up to a limit; beyond it they are read from the log again, like deferred messages that become due.
 *
 * An ephemeral channel keeps as many messages as fit into its memory queue and drops later ones, as in NSQ.
 */
import { Effect } from "effect"
import { frameAttempts, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import { isEphemeral } from "../../../protocol/client/Names.ts"
import { type Time, wallOrigin } from "../../core/Time.ts"
import { finish, type Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { ChannelLog } from "../log/ChannelLog.ts"
import type { IsOver } from "../log/TimeSearch.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { NotStored, WaitingMessages } from "./Backlog.ts"
import { batchOf, type Carried, nothing } from "./Carried.ts"
import type { Deferrals } from "./DeferredQueue.ts"
import { DiskReads } from "./DiskReads.ts"
import { MemoryQueue, wholeBatch } from "./MemoryQueue.ts"
import { readDeferred, readWaiting } from "./Moving.ts"
import type { Worker } from "./Worker.ts"

/** Bytes of frames that are loaded at once. */
const loadBytes = 256 * 1024

/** The sequence of a message in its log. */
const sequenceOf = (batch: MessageBatch): number => {
  const sequence = batch.sequenceAt(0)
  if (sequence === undefined) throw new Error("invariant: a durable channel delivers messages of its log only")
  return sequence
}

export class LogBacklog implements WaitingMessages {
  readonly memory = new MemoryQueue()
  readonly fetched = new MemoryQueue()
  readonly deferred: Deferrals
  readonly hasDisk = true
  readonly canLoad = true
  readonly hasSpilled = false
  private readonly log: TopicLog
  private readonly channel: ChannelLog
  private readonly memQueueSize: number
  private readonly reads: DiskReads
  private hasLeft = false

  constructor(
    label: string,
    log: TopicLog,
    channel: ChannelLog,
    memQueueSize: number,
    time: Time,
    worker: Worker
  ) {
    this.log = log
    this.channel = channel
    this.memQueueSize = memQueueSize
    this.deferred = deferralsOf(channel, time)
    this.reads = new DiskReads(label, {
      get hasMore() {
        return channel.wanted !== undefined
      }
    }, worker)
  }

  get depth(): number {
    return this.memory.count + this.backendDepth
  }
  get backendDepth(): number {
    return this.fetched.count + this.channel.waiting
  }
  get room(): number {
    return this.memQueueSize - this.memory.count
  }
  get hasReturned(): boolean {
    return this.channel.hasReturned
  }
  get hasHeaders(): boolean {
    return this.log.history.hasHeaders
  }
  get isLoaded(): boolean {
    return this.memory.count + this.fetched.count > 0
  }
  get canFetch(): boolean {
    return this.fetched.count === 0 && this.reads.isReady
  }

  // ---- returned messages

  keep(batch: MessageBatch): void {
    const sequence = sequenceOf(batch)
    // It may have been deleted while it was in flight to a consumer that has disconnected.
    if (this.channel.hasFinished(sequence)) return
    this.channel.keepReturned(sequence, frameAttempts(batch.frames, 0))
    this.memory.push(wholeBatch(batch))
  }

  spill(batch: MessageBatch): void {
    this.channel.giveBack(sequenceOf(batch), frameAttempts(batch.frames, 0))
  }

  /** Nothing waits to be written: the log has every message. */
  get writeSpilled(): Effect.Effect<void> {
    return Effect.void
  }

  /** The log has every message that its topic hands over. */
  store(): Effect.Effect<void, StorageError> {
    return Effect.void
  }

  get recent(): Effect.Effect<ReadonlySet<string>> {
    return Effect.succeed(new Set())
  }

  // ---- reading

  load(): boolean {
    if (this.fetched.count > 0) return true
    for (let bytes = 0; bytes < loadBytes;) {
      const batch = this.log.next(this.channel)
      if (batch === undefined) break
      bytes += batch.frames.length
      this.fetched.push(wholeBatch(batch))
    }
    return this.fetched.count > 0
  }

  get fetch(): Effect.Effect<boolean> {
    const read = Effect.uninterruptible(this.log.read(this.channel, (batch) => this.fetched.push(wholeBatch(batch))))
    return Effect.map(this.reads.attempt(read), (fetched) => fetched !== undefined)
  }

  // ---- emptying and closing

  /** Records the attempts of messages in flight; all messages are in the log. */
  flush(others: ReadonlyArray<MessageBatch>): Effect.Effect<number, NotStored> {
    return Effect.sync(() => {
      this.forget()
      for (const batch of others) this.channel.keepReturned(sequenceOf(batch), frameAttempts(batch.frames, 0))
      return 0
    })
  }

  /** Only the messages of an ephemeral channel are not in the log when it is opened again. */
  leave(inFlight: ReadonlyArray<MessageBatch>): Effect.Effect<Carried> {
    const { channel, log } = this
    return Effect.gen({ self: this }, function*() {
      this.hasLeft = true
      if (!isEphemeral(channel.name)) {
        yield* Effect.ignore(this.flush(inFlight))
        return nothing
      }
      const waiting = [...inFlight, ...[...this.memory.takeAll(), ...this.fetched.takeAll()].map(batchOf)]
      yield* readWaiting(log, channel, (batch) => Effect.sync(() => void waiting.push(batch)))
      // In copies: nothing of a closed log is settled.
      return {
        waiting: waiting.map((batch) => batchOf(wholeBatch(batch))),
        deferred: yield* readDeferred(log, channel)
      }
    }).pipe(Effect.catch((error) => Effect.succeed({ ...nothing, failure: error })))
  }

  /** The log has taken over everything before. */
  receive(): void {}

  get empty(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.forget()
      this.channel.empty()
      return this.log.recorded
    })
  }

  seek(sequence: number, begin: () => void): Effect.Effect<void, StorageError> {
    return this.log.history.seek(this.channel, sequence, () => {
      begin()
      // What was read before is here by now, and what is read from now on belongs to the new place.
      this.memory.takeAll()
      this.fetched.takeAll()
    })
  }

  dropBefore(before: (due: number) => number, isOver?: IsOver): Effect.Effect<number, StorageError> {
    return this.log.history.finishBefore(this.channel, before, isOver)
  }

  drop(sequence: number, turns: Turns): Effect.Effect<boolean, StorageError> {
    return Effect.suspend(() => finish(turns, this.untilLeft(this.channel.drop(sequence, () => this.unload())))).pipe(
      Effect.tap((isDropped) => isDropped ? this.log.recorded : Effect.void)
    )
  }

  release(sequence: number, turns: Turns): Effect.Effect<boolean> {
    return Effect.suspend(() => finish(turns, this.untilLeft(this.channel.release(sequence))))
  }

  /** The result of steps; false if the messages move to another queue meanwhile, which must not be disturbed. */
  private *untilLeft(steps: Generator<void, boolean>): Generator<void, boolean> {
    try {
      for (let step = steps.next(); !this.hasLeft; step = steps.next()) {
        if (step.done === true) return step.value
        yield
      }
      return false
    } finally {
      steps.return(false)
    }
  }

  /** Gives back the loaded messages, which are read again when they are wanted. */
  private unload(): void {
    for (const { batch, end, index, position } of [...this.memory.takeAll(), ...this.fetched.takeAll()]) {
      for (let at = position, left = end - index; left > 0; left--) {
        this.channel.giveBack(batch.sequenceAt(at)!, frameAttempts(batch.frames, at))
        at += batch.frames.readInt32BE(at) + 4
      }
    }
  }

  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.forget()
      return this.log.deleteChannel(this.channel.name)
    })
  }

  private forget(): void {
    this.memory.takeAll()
    this.fetched.takeAll()
  }
}

/** The channel's deferred messages, which are in the log. */
const deferralsOf = (channel: ChannelLog, time: Time): Deferrals => {
  /**
   * Due times have to survive the process, and are those of the wall clock.
   */
  const origin = wallOrigin(time)
  return {
    get count() {
      return channel.deferredCount
    },
    get earliest() {
      return channel.earliestDue - origin
    },
    push: (batch, due) => channel.defer(sequenceOf(batch), Math.ceil(due + origin), frameAttempts(batch.frames, 0)),
    release: (now, most) => channel.releaseDue(now + origin, most),
    takeAll: () => [],
    takeAllDue: () => [],
    drop: () => []
  }
}
