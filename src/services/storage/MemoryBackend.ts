/**
 * A queue of records in memory, with the same rules as the disk queue: what was read and not settled is there again when the
 * queue is opened anew.
 */
import { Effect } from "effect"
import type { BackendQueue, RecordRun, StoredRun } from "./Storage.ts"

interface Read {
  readonly run: StoredRun
  /** Where what was not given back ends. */
  end: number
  owned: number
  settled: number
}

export class MemoryBackend implements BackendQueue {
  readonly name: string
  private runs: Array<RecordRun> = []
  private outstanding: Array<Read> = []
  private messages = 0

  constructor(name: string) {
    this.name = name
  }

  get depth(): number {
    return this.messages
  }

  readonly append = (runs: ReadonlyArray<RecordRun>): Effect.Effect<void> =>
    Effect.sync(() => {
      for (const run of runs) this.messages += run.count
      this.runs.push(...runs)
    })

  readonly read = (): Effect.Effect<StoredRun | undefined> =>
    Effect.sync(() => {
      const next = this.runs.shift()
      if (next === undefined) return undefined
      const run = { ...next }
      this.messages -= run.count
      this.outstanding.push({ run, end: run.end, owned: run.count, settled: 0 })
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
    if (read === undefined || count === 0) return
    this.runs.unshift({ bytes: run.bytes, start, end: read.end, count })
    this.messages += count
    read.owned -= count
    read.end = start
    this.forget(read)
  }

  readonly empty: Effect.Effect<void> = Effect.sync(() => {
    this.runs = []
    this.outstanding = []
    this.messages = 0
  })

  readonly delete = this.empty

  /** The queue is closed: what was not settled is to be read again. */
  reopen(): void {
    const again = this.outstanding.map(({ end, owned, run }) => ({ ...run, end, count: owned }))
    for (const run of again) this.messages += run.count
    this.runs.unshift(...again)
    this.outstanding = []
  }

  private forget(read: Read): void {
    if (read.settled >= read.owned) this.outstanding = this.outstanding.filter((candidate) => candidate !== read)
  }
}
