/**
 * A queue of records in memory with the rules of the disk queue: records that were read and not settled are available
 * again when the queue is reopened.
 */
import { Effect } from "effect"
import { recordStarts, walkRecords } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { BackendQueue, RecordRun, StoredRun } from "./BackendQueue.ts"
import { OutstandingRun, type RunOwner } from "./OutstandingRun.ts"

export class MemoryBackend implements BackendQueue {
  readonly name: string
  private runs: Array<RecordRun> = []
  /** Index of the first unread run. */
  private head = 0
  private waiting = 0
  private readonly outstanding = new Map<OutstandingRun, RecordRun>()
  private readonly owner: RunOwner = {
    settled: () => {},
    finished: (run) => this.outstanding.delete(run)
  }

  constructor(name: string) {
    this.name = name
  }

  get depth(): number {
    return this.waiting
  }

  get hasMore(): boolean {
    return this.head < this.runs.length
  }

  readonly append = (runs: ReadonlyArray<RecordRun>): Effect.Effect<void> =>
    Effect.sync(() => {
      for (const run of runs) {
        this.runs.push(run)
        this.waiting += run.count
      }
    })

  readonly read = (): Effect.Effect<StoredRun | undefined> =>
    Effect.sync(() => {
      const next = this.runs[this.head]
      if (next === undefined) return undefined
      this.head++
      // The array is moved only when half of it is empty, so that the cost per run is constant.
      if (this.head * 2 >= this.runs.length) this.putFirst([])
      this.waiting -= next.count
      const ledger = new OutstandingRun(
        this.owner,
        0,
        next.start,
        recordStarts(bufferOf(next.bytes), next.start, next.count)
      )
      this.outstanding.set(ledger, next)
      return { ...next, ledger }
    })

  /** A queue in memory does not outlive a killed daemon. */
  readonly recent: Effect.Effect<ReadonlySet<string>> = Effect.succeed(new Set())

  readonly sync: Effect.Effect<void> = Effect.void

  readonly empty: Effect.Effect<void> = Effect.sync(() => {
    this.runs = []
    this.head = 0
    this.waiting = 0
    this.outstanding.clear()
  })

  readonly delete = this.empty

  /** The queue is closed: unsettled records will be read again. */
  reopen(): void {
    const again = Array.from(this.outstanding).flatMap(([run, { bytes }]) =>
      run.unsettledRanges.map(({ from, to }): RecordRun => ({
        bytes,
        start: from,
        end: to,
        count: walkRecords(bufferOf(bytes), from, to, Infinity).count
      }))
    )
    this.outstanding.clear()
    this.putFirst(again)
    for (const { count } of again) this.waiting += count
  }

  private putFirst(runs: ReadonlyArray<RecordRun>): void {
    this.runs = runs.concat(this.runs.slice(this.head))
    this.head = 0
  }
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
