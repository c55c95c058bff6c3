/**
 * What waits at a channel: in memory up to a number of messages, beyond that on disk. What was read from disk is kept apart
 * until it is delivered, and counts as still being there; what came back while memory was full waits to be written.
 *
 * Hot path: the queues are read and advanced directly by the channel; only what has to do with the disk is an Effect.
 */
import { Effect, Schedule } from "effect"
import { MessageBatch, type StoredRecords } from "../../protocol/MessageBatch.ts"
import type { BackendQueue, StorageError, StoredRun } from "../storage/Storage.ts"
import { MemoryQueue, settleSpan, type Span, storeInPieces, wholeBatch } from "./MemoryQueue.ts"

/** Bytes of one read from disk. */
const runBytes = 256 * 1024

/** How long to wait before a disk that failed is asked again. */
export const retryStorage = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

export class Backlog {
  readonly memory = new MemoryQueue()
  /** Read from disk and not delivered yet. */
  readonly fetched = new MemoryQueue()
  private fetchedRun: StoredRun | undefined
  /** Handed back while memory was full, to be written to disk. */
  private readonly spilled = new MemoryQueue()
  /** How often everything was dropped: a read that was under way then has brought what no longer exists. */
  private emptied = 0
  private readonly label: string
  private readonly memQueueSize: number
  private readonly backend: BackendQueue | undefined

  /** `label` is what the log calls the owner; without a `backend` there is memory only. */
  constructor(label: string, memQueueSize: number, backend: BackendQueue | undefined) {
    this.label = label
    this.memQueueSize = memQueueSize
    this.backend = backend
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
    return this.fetched.count === 0 && this.backend !== undefined && this.backend.depth > 0
  }

  // ---- coming in

  /** To be written to disk by `writeSpilled`, or by `flush`. */
  spill(batch: MessageBatch): void {
    this.spilled.push(wholeBatch(batch))
  }

  /** Writes messages that found no room in memory to disk. Drops them where there is no disk. */
  readonly store = (records: ReadonlyArray<StoredRecords>): Effect.Effect<void, StorageError> =>
    this.backend === undefined ? Effect.void : this.backend.append(records)

  readonly writeSpilled: Effect.Effect<void> = Effect.suspend(() => this.storeSpans(this.spilled.takeAll())).pipe(
    Effect.catch((error) => Effect.logError(`${this.label}: failed to write messages to disk - ${error.message}`)),
    Effect.uninterruptible
  )

  private storeSpans(spans: ReadonlyArray<Span>): Effect.Effect<void, StorageError> {
    const { backend } = this
    if (backend === undefined) return Effect.void
    return storeInPieces(spans, backend.append, settleSpan).pipe(
      // Nothing is lost while the disk fails: the messages go on waiting in memory.
      Effect.mapError(({ error, left }) => {
        left.forEach((span) => this.memory.push(span))
        return error
      })
    )
  }

  // ---- from disk

  /** Fetches the next messages from disk; false when there were none after all. Does not give up while the disk fails. */
  readonly fetch: Effect.Effect<boolean> = Effect.suspend(() => {
    const { backend, emptied } = this
    if (backend === undefined) return Effect.succeed(false)
    return Effect.map(backend.read(runBytes), (run) => {
      if (run === undefined) return false
      if (emptied === this.emptied) {
        const ledger = { settle: (count: number) => backend.settle(run, count) }
        this.fetchedRun = run
        this.fetched.push(wholeBatch(MessageBatch.stored(run, ledger)))
      }
      return true
    })
  }).pipe(
    Effect.uninterruptible,
    Effect.tapError((error) => Effect.logError(`${this.label}: failed to read from disk - ${error.message}`)),
    Effect.retry(retryStorage),
    Effect.orDie
  )

  /** Hands the part of the last read from disk that was not delivered back to the disk queue. */
  private unfetch(): void {
    if (this.fetchedRun === undefined || this.fetched.count === 0) return
    const run = this.fetchedRun
    for (const span of this.fetched.takeAll()) {
      // A frame is a record with the four bytes of its type added.
      this.backend?.unread(run, run.start + span.position - 4 * span.index, span.end - span.index)
    }
  }

  // ---- the end

  /** Everything that is not on disk goes there, `others` behind it. Returns how many messages waited in memory. */
  readonly flush = (others: ReadonlyArray<MessageBatch>): Effect.Effect<number, StorageError> =>
    Effect.suspend(() => {
      this.unfetch()
      const waiting = [...this.memory.takeAll(), ...this.spilled.takeAll()]
      const count = waiting.reduce((sum, span) => sum + span.end - span.index, 0)
      return Effect.as(this.storeSpans([...waiting, ...others.map(wholeBatch)]), count)
    })

  /** Drops everything. */
  readonly empty: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    this.forget()
    return this.backend === undefined ? Effect.void : this.backend.empty
  })

  /** Drops everything, files included. */
  readonly delete: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    this.forget()
    return this.backend === undefined ? Effect.void : this.backend.delete
  })

  private forget(): void {
    for (const queue of [this.memory, this.spilled, this.fetched]) queue.takeAll().forEach(settleSpan)
    this.fetchedRun = undefined
    this.emptied++
  }
}
