/**
 * Writes, and for durable commits syncs, a small file beside the daemon's files every 10 ms, to find out when the disk stalls: no
 * daemon can record a state in a window that is shorter than a write to its disk.
 *
 * The probe runs in a thread of its own with synchronous calls, so that neither this process's work nor its thread pool counts as
 * time of the disk.
 */
import * as Path from "node:path"
import { Worker } from "node:worker_threads"
import type { Stall } from "./Lives.ts"

const program = `
const Fs = require("node:fs")
const { workerData: { cells, isSynced, path } } = require("node:worker_threads")
const times = new Float64Array(cells)
const wait = new Int32Array(new SharedArrayBuffer(4))
const bytes = Buffer.alloc(512, "x")
const now = () => performance.timeOrigin + performance.now()
const size = (times.length - 2) / 2
const fd = Fs.openSync(path, "w")
for (let count = 0;;) {
  const begin = now()
  times[1] = begin
  Fs.writeSync(fd, bytes, 0, bytes.length, 0)
  if (isSynced) Fs.fdatasyncSync(fd)
  const end = now()
  times[1] = 0
  if (end - begin > 20) {
    const at = 2 + 2 * (count % size)
    times[at] = begin
    times[at + 1] = end
    times[0] = ++count
  }
  Atomics.wait(wait, 0, 0, 10)
}
`

/** Slow operations that are kept. */
const most = 1000

export class DiskProbe {
  private readonly times = new Float64Array(new SharedArrayBuffer(8 * (2 + 2 * most)))
  private readonly worker: Worker
  private readonly ended: Promise<unknown>
  private failure: Error | undefined

  /** Probes the disk of an existing directory until `stop`. */
  constructor(directory: string, isSynced: boolean) {
    const path = Path.join(directory, "probe")
    this.worker = new Worker(program, { eval: true, workerData: { cells: this.times.buffer, isSynced, path } })
    this.worker.once("error", (error) => void (this.failure = error))
    this.ended = new Promise((resolve) => this.worker.once("exit", resolve))
  }

  /** The times of slow operations by `performance.now()` of this thread, that of the one in progress included. */
  get stalls(): ReadonlyArray<Stall> {
    if (this.failure !== undefined) throw this.failure
    const { times } = this
    const origin = performance.timeOrigin
    const count = Math.min(times[0] ?? 0, most)
    const ended = Array.from({ length: count }, (_, i): Stall => ({
      from: (times[2 + 2 * i] ?? 0) - origin,
      to: (times[3 + 2 * i] ?? 0) - origin
    })).sort((a, b) => a.from - b.from)
    const begun = times[1] ?? 0
    return begun === 0 ? ended : [...ended, { from: begun - origin, to: performance.now() }]
  }

  async stop(): Promise<void> {
    await this.worker.terminate()
    await this.ended
  }
}
