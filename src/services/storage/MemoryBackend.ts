/**
 * A queue of records in memory, with the same rules as the disk queue: what was read and not settled is there again when the
 * queue is opened anew.
 */
import { Effect } from "effect"
import type { BackendQueue, RecordRun, StoredRun } from "./Storage.ts"

interface Read {
  readonly run: StoredRun
  /** What it still stands for: without what was given back. */
  end: number
  owned: number
  settled: number
}

export class MemoryBackend implements BackendQueue {
  readonly name: string
  private runs: Array<RecordRun> = []
  /** Runs before this one have been read. */
  private head = 0
  private waiting = 0
  private readonly outstanding = new Map<StoredRun, Read>()

  constructor(name: string) {
    this.name = name
  }

  get depth(): number {
    return this.waiting
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
      // Moving the array only when half of it is empty keeps the cost per run constant.
      if (this.head * 2 >= this.runs.length) this.putFirst([])
      this.waiting -= next.count
      const run = { ...next }
      this.outstanding.set(run, { run, end: run.end, owned: run.count, settled: 0 })
      return run
    })

  readonly settle = (run: StoredRun, count: number): void => {
    const read = this.outstanding.get(run)
    if (read === undefined) return
    read.settled += count
    this.forget(read)
  }

  readonly unread = (run: StoredRun, start: number, count: number): void => {
    const read = this.outstanding.get(run)
    if (read === undefined || count === 0) return
    this.putFirst([{ bytes: run.bytes, start, end: read.end, count }])
    this.waiting += count
    read.end = start
    read.owned -= count
    this.forget(read)
  }

  readonly empty: Effect.Effect<void> = Effect.sync(() => {
    this.runs = []
    this.head = 0
    this.waiting = 0
    this.outstanding.clear()
  })

  readonly delete = this.empty

  /** The queue is closed: what was not settled is to be read again. */
  reopen(): void {
    const again = Array.from(this.outstanding.values(), ({ end, owned, run }) => ({ ...run, end, count: owned }))
    this.outstanding.clear()
    this.putFirst(again)
    for (const { count } of again) this.waiting += count
  }

  private putFirst(runs: ReadonlyArray<RecordRun>): void {
    this.runs = runs.concat(this.runs.slice(this.head))
    this.head = 0
  }

  private forget(read: Read): void {
    if (read.settled >= read.owned) this.outstanding.delete(read.run)
  }
}
