/**
 * A queue of records in memory with the rules of the disk queue: records that were read and not settled are available
 * again when the queue is reopened.
 */
import { Effect } from "effect"
import { type QueuePosition, recordStarts, walkRecords } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { BackendQueue, QueueView, RecordRun, StoredRun, ViewedRun } from "./BackendQueue.ts"
import { OutstandingRun, type RunOwner } from "./OutstandingRun.ts"
import { isBefore } from "./QueuePositions.ts"

export class MemoryBackend implements BackendQueue {
  readonly name: string
  private runs: Array<RecordRun> = []
  /** Index of the first unread run. */
  private head = 0
  /** Where that run begins. Places have a new `file` when the order of the records has changed. */
  private start: QueuePosition = { file: 0, offset: 0 }
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
      this.start = { file: this.start.file, offset: this.start.offset + next.end - next.start }
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

  get view(): QueueView {
    return {
      tail: this.tail,
      open: Effect.succeed({ read: (from, to) => Effect.sync(() => this.viewed(from, to)) })
    }
  }

  private get tail(): QueuePosition {
    const { file } = this.start
    let { offset } = this.start
    for (let i = this.head; i < this.runs.length; i++) offset += this.runs[i]!.end - this.runs[i]!.start
    return { file, offset }
  }

  private viewed(from: QueuePosition, to: QueuePosition): ViewedRun | undefined {
    const { file } = this.start
    let { offset } = this.start
    for (let i = this.head; i < this.runs.length && isBefore({ file, offset }, to); i++) {
      const { bytes, count, end, start } = this.runs[i]!
      const next = { file, offset: offset + end - start }
      if (isBefore(from, next)) {
        const all = bufferOf(bytes).subarray(start, end)
        const starts = recordStarts(all, 0, count)
        const first = starts.findIndex((at) => !isBefore({ file, offset: offset + at }, from))
        const skipped = starts[first]!
        if (first < count) {
          return {
            place: { file, offset: offset + skipped },
            bytes: all.subarray(skipped),
            starts: starts.subarray(first).map((at) => at - skipped)
          }
        }
      }
      offset = next.offset
    }
    return undefined
  }

  readonly empty: Effect.Effect<void> = Effect.sync(() => {
    this.start = { file: this.start.file + 1, offset: 0 }
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
    this.start = { file: this.start.file + 1, offset: 0 }
    this.putFirst(again)
    for (const { count } of again) this.waiting += count
  }

  private putFirst(runs: ReadonlyArray<RecordRun>): void {
    this.runs = runs.concat(this.runs.slice(this.head))
    this.head = 0
  }
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
