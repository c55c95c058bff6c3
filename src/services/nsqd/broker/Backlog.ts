/**
 * What waits at a channel: in memory up to a number of messages, beyond that on disk. What was read from disk is kept apart
 * until it is delivered, and counts as still being there; what came back while memory was full waits to be written.
 *
 * Hot path: the queues are read and advanced directly by the channel; only what has to do with the disk is an Effect.
 */
import { Effect, Schedule } from "effect"
import { MessageBatch, type StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { BackendQueue, StorageError } from "../storage/Storage.ts"
import { DiskReads } from "./DiskReads.ts"
import { countUnstored, MemoryQueue, settleSpan, type Span, storeInPieces, wholeBatch } from "./MemoryQueue.ts"
import type { Worker } from "./Worker.ts"

/** Bytes of one read from disk. */
const runBytes = 256 * 1024

/** How long to wait before something is written to a disk that failed. */
export const retryStorage = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

/** A disk failed, and so many messages are nowhere but in memory. */
export interface NotStored {
  readonly error: StorageError
  readonly messages: number
}

export class Backlog {
  readonly memory = new MemoryQueue()
  /** Read from disk and not delivered yet. */
  readonly fetched = new MemoryQueue()
  /** Handed back while memory was full, to be written to disk. */
  private readonly spilled = new MemoryQueue()
  /** How often everything was dropped: a read that was under way then has brought what no longer exists. */
  private emptied = 0
  private readonly label: string
  private readonly memQueueSize: number
  private readonly backend: BackendQueue | undefined
  private readonly reads: DiskReads

  /** `label` is what the log calls the owner, `worker` what is called when a disk that failed is to be read again; without a `backend` there is memory only. */
  constructor(label: string, memQueueSize: number, backend: BackendQueue | undefined, worker: Worker) {
    this.label = label
    this.memQueueSize = memQueueSize
    this.backend = backend
    this.reads = new DiskReads(label, backend, worker)
  }

  // ---- what others may know

  /** Messages waiting, wherever. */
  get depth(): number {
    return this.memory.count + this.spilled.count + this.backendDepth
  }
  /** Messages waiting on disk. */
  get backendDepth(): number {
    return this.fetched.count + (this.backend?.depth ?? 0)
  }
  get hasDisk(): boolean {
    return this.backend !== undefined
  }
  /** Messages that still fit into memory; below 0 after a write to disk has failed. */
  get room(): number {
    return this.memQueueSize - this.memory.count
  }
  get hasSpilled(): boolean {
    return this.spilled.count > 0
  }
  /** Whether messages can be delivered without reading from disk. */
  get isLoaded(): boolean {
    return this.memory.count + this.fetched.count > 0
  }
  /** Whether all that was read has been delivered and the disk has more. */
  get canFetch(): boolean {
    return this.fetched.count === 0 && this.reads.isReady
  }

  // ---- coming in

  /** To be written to disk by `writeSpilled`, or by `flush`. */
  spill(batch: MessageBatch): void {
    this.spilled.push(wholeBatch(batch))
  }

  /** Writes messages that found no room in memory to disk. Drops them where there is no disk. */
  store(records: ReadonlyArray<StoredRecords>): Effect.Effect<void, StorageError> {
    return this.backend === undefined ? Effect.void : this.backend.append(records)
  }

  get writeSpilled(): Effect.Effect<void> {
    return Effect.suspend(() => this.storeSpans(this.spilled.takeAll())).pipe(
      Effect.catch(({ error }) =>
        Effect.logError(`${this.label}: failed to write messages to disk - ${error.message}`)
      ),
      Effect.uninterruptible
    )
  }

  private storeSpans(spans: ReadonlyArray<Span>): Effect.Effect<void, NotStored> {
    const { backend } = this
    if (backend === undefined) return Effect.void
    return storeInPieces(spans, (records) => backend.append(records), settleSpan).pipe(
      // Nothing is lost while the disk fails: the messages go on waiting in memory.
      Effect.mapError(({ error, left }) => {
        left.forEach((span) => this.memory.push(span))
        return { error, messages: countUnstored(left) }
      })
    )
  }

  // ---- from disk

  /**
   * Fetches the next messages from disk; false when the disk has no more. While the disk fails the result is false as
   * well, and the worker is called when it is time to try again.
   */
  get fetch(): Effect.Effect<boolean> {
    const { backend, emptied } = this
    if (backend === undefined) return Effect.succeed(false)
    const read = Effect.uninterruptible(Effect.map(backend.read(runBytes), (run) => {
      if (run === undefined) return false
      if (emptied === this.emptied) this.fetched.push(wholeBatch(MessageBatch.stored(run, run.ledger)))
      return true
    }))
    return Effect.map(this.reads.attempt(read), (fetched) => fetched === true)
  }

  /** See `BackendQueue.recent`. */
  get recent(): Effect.Effect<ReadonlySet<string>> {
    if (this.backend === undefined) return Effect.succeed(new Set())
    return Effect.catch(this.backend.recent, (error) =>
      Effect.as(
        Effect.logWarning(
          `${this.label}: failed to look for messages that its topic may hand over again - ${error.message}`
        ),
        new Set<string>()
      ))
  }

  // ---- the end

  /** Everything that is not on disk goes there, `others` behind it. Returns how many messages waited in memory. */
  flush(others: ReadonlyArray<MessageBatch>): Effect.Effect<number, NotStored> {
    return Effect.suspend(() => {
      // What was fetched and not delivered is on disk, and not settled.
      this.fetched.takeAll()
      const waiting = [...this.memory.takeAll(), ...this.spilled.takeAll()]
      const count = waiting.reduce((sum, span) => sum + span.end - span.index, 0)
      return Effect.as(this.storeSpans([...waiting, ...others.map(wholeBatch)]), count)
    })
  }

  /** Drops everything. */
  get empty(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.forget()
      return this.backend === undefined ? Effect.void : this.backend.empty
    })
  }

  /** Drops everything, files included. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.forget()
      return this.backend === undefined ? Effect.void : this.backend.delete
    })
  }

  private forget(): void {
    for (const queue of [this.memory, this.spilled, this.fetched]) queue.takeAll().forEach(settleSpan)
    this.emptied++
  }
}
