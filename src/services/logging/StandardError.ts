/**
 * Standard error, written synchronously so that the last lines before an exit are never lost. A reader that is slow
 * is waited for; one that has stopped reading is given up on after a while, so that a full pipe cannot hold the daemon
 * still, and is told how many lines it missed once it reads again. A reader that is gone is no error.
 */
import * as Fs from "node:fs"

const descriptor = 2

/** How long one line waits for a reader that does not read. */
const patienceMillis = 1_000

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** What a write came to: all of it, or how much was written before the reader stopped reading. */
type Outcome = "written" | "gone" | { readonly stuckAt: number }

const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined

const writeSome = (bytes: Uint8Array, offset: number): number | "full" | "gone" => {
  try {
    return Fs.writeSync(descriptor, bytes, offset)
  } catch (error) {
    return codeOf(error) === "EAGAIN" ? "full" : "gone"
  }
}

const writeAll = (bytes: Uint8Array, patience: number): Outcome => {
  let offset = 0
  let waited = 0
  while (offset < bytes.length) {
    const written = writeSome(bytes, offset)
    if (written === "gone") return "gone"
    if (written !== "full") {
      offset += written
    } else if (waited++ < patience) {
      Atomics.wait(sleeper, 0, 0, 1)
    } else {
      return { stuckAt: offset }
    }
  }
  return "written"
}

const encoder = new TextEncoder()
let unfinished: Uint8Array | undefined
let missed = 0

/** Catches up on what a stuck reader has not got yet; false while it still does not read. */
const caughtUp = (): boolean => {
  if (unfinished === undefined) return true
  const outcome = writeAll(unfinished, 0)
  if (typeof outcome === "object") {
    unfinished = unfinished.subarray(outcome.stuckAt)
    return false
  }
  unfinished = undefined
  const report = missed
  missed = 0
  if (report > 0) writeText(`${report} log lines were lost, nobody read them\n`)
  return true
}

const writeText = (text: string): void => {
  const bytes = encoder.encode(text)
  const outcome = writeAll(bytes, patienceMillis)
  if (typeof outcome === "object") unfinished = bytes.subarray(outcome.stuckAt)
}

/** Writes one line. */
export const writeLine = (line: string): void => {
  if (caughtUp()) writeText(`${line}\n`)
  else missed++
}
