/**
 * A queue of records in memory, with the same rules as the disk queue: what was read and not settled is there again when the
 * queue is opened anew.
 */
import { Effect } from "effect"
import type { BackendQueue, RecordRun, StoredRun } from "./Storage.ts"

interface Read {
  readonly run: StoredRun
  owned: number
  settled: number
}

export class MemoryBackend implements BackendQueue {
  readonly name: string
  private runs: Array<RecordRun> = []
  private outstanding: Array<Read> = []

  constructor(name: string) {
    this.name = name
  }

  get depth(): number {
    return this.runs.reduce((sum, run) => sum + run.count, 0)
  }

  readonly append = (runs: ReadonlyArray<RecordRun>): Effect.Effect<void> =>
    Effect.sync(() => void this.runs.push(...runs))

  readonly read = (): Effect.Effect<StoredRun | undefined> =>
    Effect.sync(() => {
      const next = this.runs.shift()
      if (next === undefined) return undefined
      const run = { ...next }
      this.outstanding.push({ run, owned: run.count, settled: 0 })
      return run
    })

  readonly settle = (run: StoredRun, count: number): void => {
    const read = this.outstanding.find((candidate) => candidate.run === run)
    if (read === undefined) return
    read.settled += count
    this.forget(read)
  }

  readonly unread = (run: StoredRun, start: number, count: number): void => {
    const read = this.outstanding.find((candidate) => candidate.run === run)
    if (read === undefined) return
    this.runs.unshift({ bytes: run.bytes, start, end: run.end, count })
    read.owned -= count
    this.forget(read)
  }

  readonly empty: Effect.Effect<void> = Effect.sync(() => {
    this.runs = []
    this.outstanding = []
  })

  readonly delete = this.empty

  /** The queue is closed: what was not settled is to be read again. */
  reopen(): void {
    this.runs.unshift(...this.outstanding.map(({ run }) => run))
    this.outstanding = []
  }

  private forget(read: Read): void {
    if (read.settled >= read.owned) this.outstanding = this.outstanding.filter((candidate) => candidate !== read)
  }
}
