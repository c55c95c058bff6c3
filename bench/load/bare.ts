/**
 * The limit for a durable log: durable writes to a zero-filled file and nothing else. One commit is in flight; it has the messages
 * of all writers, and all of them write again when it is done. At a constant rate, a commit starts each millisecond with the
 * messages that are due.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { measureRate, sleep, type Window, work } from "./worker.ts"

export interface BareConfig extends Window {
  /** Where the file is created. */
  readonly directory: string
  readonly writers: number
  /** Messages that each writer has in a commit. */
  readonly batch: number
  readonly messageBytes: number
  /** Limits the rate; `writers` and `batch` have no effect then. */
  readonly messagesPerSecond?: number
}

const fileBytes = 64 * 1024 * 1024
const recordHeaderBytes = 64

work(async (config: BareConfig) => {
  const path = Path.join(config.directory, "bare")
  Fs.writeFileSync(path, Buffer.alloc(fileBytes), { flush: true })
  const fd = Fs.openSync(path, Fs.constants.O_RDWR | Fs.constants.O_DSYNC)
  const messagesMax = config.messagesPerSecond ?? config.writers * config.batch
  const bytes = Buffer.alloc(recordHeaderBytes + messagesMax * config.messageBytes, "x")
  let position = 0
  let messages = 0
  const times: Array<number> = []

  const commit = (count: number): Promise<void> => {
    const length = recordHeaderBytes + count * config.messageBytes
    if (position + length > fileBytes) position = 0
    const startedAt = performance.now()
    return new Promise((resolve, reject) => {
      Fs.write(fd, bytes, 0, length, position, (error) => {
        if (error) return reject(error)
        times.push(performance.now() - startedAt)
        position += length
        messages += count
        resolve()
      })
    })
  }

  const commitAll = async (): Promise<never> => {
    for (;;) await commit(messagesMax)
  }

  const commitDue = async (messagesPerSecond: number): Promise<never> => {
    const startedAt = performance.now()
    for (;;) {
      const due = Math.floor((performance.now() - startedAt) * messagesPerSecond / 1000) - messages
      if (due > 0) await commit(Math.min(due, messagesMax))
      else await sleep(1)
    }
  }

  return async () => {
    const committing = config.messagesPerSecond === undefined ? commitAll() : commitDue(config.messagesPerSecond)
    const measured = await Promise.race([measureRate(config, () => messages), committing])
    const sorted = Float64Array.from(times).sort()
    return { rate: measured, p50: sorted[sorted.length >> 1] ?? NaN }
  }
})
