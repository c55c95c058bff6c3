/**
 * The waiting messages of a channel: in memory up to a limit, then on disk. Messages read from disk are kept apart
 * until they are delivered and still count as on disk; messages returned while memory was full are written to disk
 * later. Those from the topic that could not be written come after the ones on disk.
 *
 * Hot path: the channel reads and advances the queues directly; only disk operations are Effects.
 */
import { Effect, Schedule } from "effect"
import { MessageBatch, type StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { IsOver } from "../log/TimeSearch.ts"
import type { BackendQueue } from "../storage/BackendQueue.ts"
import { batchOf, type Carried, losesHeaders } from "./Carried.ts"
import { type Deferrals, DeferredQueue } from "./DeferredQueue.ts"
import { DiskReads } from "./DiskReads.ts"
import { partsToWrite } from "./LentRun.ts"
import {
  countMessages,
  countRecords,
  countUnstored,
  MemoryQueue,
  settleSpan,
  type Span,
  storeInPieces,
  wholeBatch
} from "./MemoryQueue.ts"
import { RetainedMessages, type Retention } from "./RetainedMessages.ts"
import type { Worker } from "./Worker.ts"

/** Bytes per read from disk. */
const runBytes = 256 * 1024

/** Delays between writes to a failing disk: 50 ms, doubling up to 2 s. */
export const retryStorage = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

/** The disk failed, and this many messages are only in memory. */
export interface NotStored {
  readonly error: StorageError
  readonly messages: number
}

/** Where messages are that are not in flight. */
export interface MemoryPlaces {
  /** Those that wait in memory, also if they were read from disk. */
  readonly queues: ReadonlyArray<MemoryQueue>
  /** `undefined` for a topic, whose messages are deferred in its channels. */
  readonly deferred: DeferredQueue | undefined
  /** The others that wait; `undefined` without a disk. */
  readonly backend: BackendQueue | undefined
}

/** A channel's waiting and deferred messages. The channel delivers from `memory` and `fetched` itself. */
export interface WaitingMessages {
  readonly memory: MemoryQueue
  /** Read from disk and not delivered yet. */
  readonly fetched: MemoryQueue
  readonly deferred: Deferrals
  /** Waiting messages, in memory and on disk. */
  readonly depth: number
  /** Waiting messages on disk. */
  readonly backendDepth: number
  readonly hasDisk: boolean
  /** Messages that still fit into memory; negative after a failed write to disk. */
  readonly room: number
  /** Whether returned or retained messages are to be written to disk now. */
  readonly hasSpilled: boolean
  /** Whether messages can be delivered without reading from disk. */
  readonly isLoaded: boolean
  /** Whether everything read has been delivered and more can be fetched. */
  readonly canFetch: boolean
  /** Whether messages outside of the two queues may need no reading: `load` finds them. */
  readonly canLoad: boolean
  /** Loads messages that need no reading; false if every message has to be read. */
  readonly load: () => boolean
  /** Adds returned messages in memory. */
  readonly keep: (batch: MessageBatch) => void
  /** Keeps a batch for `writeSpilled` or `flush` to write to disk. */
  readonly spill: (batch: MessageBatch) => void
  /** Writes messages to disk that did not fit into memory. Drops them if there is no disk. */
  readonly store: (records: ReadonlyArray<StoredRecords>) => Effect.Effect<void, StorageError>
  readonly writeSpilled: Effect.Effect<void>
  /** Adds messages behind those on disk that could not be stored. They are written when that is possible. */
  readonly retain?: (spans: ReadonlyArray<Span>) => void
  /** Whether such messages wait that are neither fetched nor written. */
  readonly isRetaining?: boolean
  /**
   * Fetches the next messages, from disk if it has any; false at the end of the queue. If the disk fails, the result is false too, and the
   * worker is called when it should be retried.
   */
  readonly fetch: Effect.Effect<boolean>
  /** See `BackendQueue.recent`. */
  readonly recent: Effect.Effect<ReadonlySet<string>>
  /** Writes everything that is not on disk, then `others`. Returns the number of messages that waited in memory. */
  readonly flush: (others: ReadonlyArray<MessageBatch>) => Effect.Effect<number, NotStored>
  /**
   * Stores what is only in memory, and `inFlight`, so that another queue can take over after this one is closed. Returns what is
   * not on disk then: everything if there is no disk, and the deferred messages.
   */
  readonly leave: (inFlight: ReadonlyArray<MessageBatch>, wallOrigin: number) => Effect.Effect<Carried>
  /** Takes over messages of another queue. */
  readonly receive: (carried: Carried, wallOrigin: number) => void
  /**
   * Makes the messages of the topic's log from `sequence` on, and no others, wait; `begin` runs at the same moment. `undefined` if the
   * topic has no log.
   */
  readonly seek?: (sequence: number, begin: () => void) => Effect.Effect<void, StorageError>
  /** Finishes the next messages of the topic's log that are older; returns how many. See `LogHistory.finishBefore`. */
  readonly dropBefore?: (before: (due: number) => number, isOver?: IsOver) => Effect.Effect<number, StorageError>
  /** Whether messages of the topic's log wait to be read again, which `dropBefore` does not see. */
  readonly hasReturned?: boolean
  /** Whether messages of the topic's log may have headers. */
  readonly hasHeaders?: boolean
  /** Finishes a message of the topic's log that waits or is deferred; false without it. Searches the deferred messages in turns. */
  readonly drop?: (sequence: number, turns: Turns) => Effect.Effect<boolean, StorageError>
  /** Lets a deferred message of the topic's log wait; false without it. Searches the deferred messages in turns. */
  readonly release?: (sequence: number, turns: Turns) => Effect.Effect<boolean>
  /** Where the messages are, unless the topic has a log. */
  readonly places?: MemoryPlaces
  /** Drops all waiting messages. */
  readonly empty: Effect.Effect<void, StorageError>
  /** Drops all waiting messages and deletes the files. */
  readonly delete: Effect.Effect<void, StorageError>
}

/** The waiting messages as NSQ keeps them: in memory up to a limit, then in a disk queue. */
export class Backlog implements WaitingMessages {
  readonly memory = new MemoryQueue()
  readonly fetched = new MemoryQueue()
  readonly deferred = new DeferredQueue()
  readonly canLoad = false
  /** Returned while memory was full; to be written to disk. */
  private readonly spilled = new MemoryQueue()
  /** Present since the first ones. */
  private retained: RetainedMessages | undefined
  /** Spilled or retained messages that are being written. */
  private writing = 0
  /** How often everything was dropped: the result of a read that was running at that time is discarded. */
  private emptied = 0
  private readonly label: string
  private readonly memQueueSize: number
  private readonly backend: BackendQueue | undefined
  private readonly reads: DiskReads
  private readonly worker: Worker
  private readonly retention: Retention

  /**
   * `label` is the owner's name in the log; `worker` is called when a failed disk should be tried again. Without a
   * `backend` messages are only in memory. `retention` is the topic's part in messages that are retained.
   */
  constructor(
    label: string,
    memQueueSize: number,
    backend: BackendQueue | undefined,
    worker: Worker,
    retention: Retention
  ) {
    this.label = label
    this.memQueueSize = memQueueSize
    this.backend = backend
    this.reads = new DiskReads(label, backend, worker)
    this.worker = worker
    this.retention = retention
  }

  // ---- statistics

  get depth(): number {
    const spilled = this.spilled.count + (this.retained?.queue.count ?? 0) + this.writing
    return this.memory.count + spilled + this.backendDepth
  }
  get backendDepth(): number {
    return this.fetched.count + (this.backend?.depth ?? 0)
  }
  get hasDisk(): boolean {
    return this.backend !== undefined
  }
  get room(): number {
    return this.memQueueSize - this.memory.count
  }
  get hasSpilled(): boolean {
    return this.spilled.count > 0 || this.retained?.isDue === true
  }
  get isLoaded(): boolean {
    return this.memory.count + this.fetched.count > 0
  }
  get places(): MemoryPlaces {
    const { fetched, memory, retained, spilled } = this
    const queues = [memory, fetched, spilled, ...retained === undefined ? [] : [retained.queue]]
    return { queues, deferred: this.deferred, backend: this.backend }
  }
  get canFetch(): boolean {
    return this.fetched.count === 0 && (this.reads.isReady || this.hasRetained)
  }
  get isRetaining(): boolean {
    return this.retained?.isWaiting === true
  }
  private get hasRetained(): boolean {
    return this.retained !== undefined && this.retained.queue.count > 0
  }

  // ---- adding messages

  load(): boolean {
    return false
  }

  keep(batch: MessageBatch): void {
    this.memory.push(wholeBatch(batch))
  }

  spill(batch: MessageBatch): void {
    this.spilled.push(wholeBatch(batch))
  }

  retain(spans: ReadonlyArray<Span>): void {
    this.retained ??= new RetainedMessages(this.worker, this.retention)
    this.retained.add(spans)
  }

  store(records: ReadonlyArray<StoredRecords>): Effect.Effect<void, StorageError> {
    return this.backend === undefined ? Effect.void : this.backend.append(records)
  }

  get writeSpilled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { retained } = this
      const spilled = this.spilled.takeAll()
      const writeSpilled = spilled.length === 0 ? Effect.void : Effect.catch(
        this.storeSpans(spilled),
        ({ error }) => Effect.logError(`${this.label}: failed to write messages to disk - ${error.message}`)
      )
      return retained?.isDue === true ? Effect.andThen(writeSpilled, this.writeRetained(retained)) : writeSpilled
    }).pipe(Effect.uninterruptible)
  }

  /** Their failure has been logged already. */
  private writeRetained(retained: RetainedMessages): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { emptied } = this
      return Effect.match(this.writeSpans(retained.take()), {
        onSuccess: () => retained.written(),
        onFailure: ({ left }) => {
          this.writing = 0
          if (emptied === this.emptied) return retained.putBack(left)
          // They belong to what was dropped meanwhile.
          left.forEach(settleSpan)
          retained.putBack([])
        }
      })
    })
  }

  private storeSpans(spans: ReadonlyArray<Span>): Effect.Effect<void, NotStored> {
    return Effect.mapError(this.writeSpans(spans), ({ error, left }) => {
      this.writing = 0
      // Nothing is lost while the disk fails: the messages continue to wait in memory.
      left.forEach((span) => this.memory.push(span))
      return { error, messages: countUnstored(left) }
    })
  }

  private writeSpans(spans: ReadonlyArray<Span>) {
    const { backend } = this
    if (backend === undefined) return Effect.void
    this.writing = countMessages(spans)
    const append = (records: ReadonlyArray<StoredRecords>) =>
      Effect.map(backend.append(records), () => void (this.writing -= countRecords(records)))
    return storeInPieces(spans, append, settleSpan)
  }

  // ---- reading from disk

  get fetch(): Effect.Effect<boolean> {
    const { backend, emptied } = this
    if (backend === undefined) return Effect.succeed(false)
    // Those on disk are older.
    if (!this.reads.isReady && this.hasRetained) return Effect.sync(() => this.fetchRetained())
    const read = Effect.uninterruptible(Effect.map(backend.read(runBytes), (run) => {
      if (run === undefined) return false
      if (emptied === this.emptied) this.fetched.push(wholeBatch(MessageBatch.stored(run, run.ledger)))
      return true
    }))
    return Effect.map(this.reads.attempt(read), (fetched) => fetched === true)
  }

  private fetchRetained(): true {
    for (const span of this.retained?.takeAll() ?? []) this.fetched.push(span)
    return true
  }

  get recent(): Effect.Effect<ReadonlySet<string>> {
    if (this.backend === undefined) return Effect.succeed(new Set())
    return Effect.catch(this.backend.recent, (error) =>
      Effect.as(
        Effect.logWarning(
          `${this.label}: failed to find messages that its topic may hand over again - ${error.message}`
        ),
        new Set<string>()
      ))
  }

  // ---- closing

  flush(others: ReadonlyArray<MessageBatch>): Effect.Effect<number, NotStored> {
    return Effect.suspend(() => {
      const waiting = this.takeLoaded().flatMap(partsToWrite)
      const spans = [...waiting, ...others.map(wholeBatch).flatMap(partsToWrite)]
      // First what is lost otherwise: there may be too little space for everything.
      return this.storeSpans(spans.filter(({ batch }) => !batch.isOnDisk)).pipe(
        Effect.andThen(this.storeSpans(spans.filter(({ batch }) => batch.isOnDisk))),
        Effect.as(countMessages(waiting))
      )
    })
  }

  leave(inFlight: ReadonlyArray<MessageBatch>, wallOrigin: number): Effect.Effect<Carried> {
    return Effect.suspend(() => {
      const deferred = this.deferred.takeAllDue().map(({ batch, due }) => ({ batch, due: Math.ceil(due + wallOrigin) }))
      if (this.backend === undefined) return Effect.succeed({ waiting: this.takeMemory(inFlight), deferred })
      const spans = [...this.takeLoaded(), ...inFlight.map(wholeBatch)]
      // The files have no place for headers, and the next queue may have one.
      const waiting = spans.filter(losesHeaders).map(batchOf)
      for (const span of spans) if (!losesHeaders(span)) this.memory.push(span)
      return Effect.match(this.flush([]), {
        onSuccess: () => ({ waiting, deferred }),
        // Those that were read from disk are read again.
        onFailure: ({ error }) => ({ waiting: [...waiting, ...this.takeMemory([])], deferred, failure: error })
      })
    })
  }

  /** Takes the messages that the channel's disk does not have, and returned ones. */
  private takeLoaded(): ReadonlyArray<Span> {
    // The others that were fetched are on disk and not settled.
    const fetched = this.fetched.takeAll().filter(({ batch, position }) =>
      !batch.isOnDisk || batch.isWholeAt(position) !== undefined
    )
    return [...this.memory.takeAll(), ...this.spilled.takeAll(), ...fetched, ...this.retained?.takeAll() ?? []]
  }

  private takeMemory(others: ReadonlyArray<MessageBatch>): ReadonlyArray<MessageBatch> {
    const spans = [...this.takeLoaded(), ...others.map(wholeBatch)]
    return spans.filter(({ batch }) => !batch.isOnDisk).map(batchOf)
  }

  receive({ deferred, waiting }: Carried, wallOrigin: number): void {
    for (const batch of waiting) this.memory.push(wholeBatch(batch))
    for (const { batch, due } of deferred) this.deferred.push(batch, due - wallOrigin)
  }

  get empty(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.forget()
      return this.backend === undefined ? Effect.void : this.backend.empty
    })
  }

  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.forget()
      return this.backend === undefined ? Effect.void : this.backend.delete
    })
  }

  private forget(): void {
    for (const queue of [this.memory, this.spilled, this.fetched]) queue.takeAll().forEach(settleSpan)
    this.retained?.takeAll().forEach(settleSpan)
    this.emptied++
  }
}
