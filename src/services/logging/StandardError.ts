/**
 * Writes to standard error, synchronously so that the last lines before an exit are not lost. A line waits for a slow reader
 * for at most a second, so that a full pipe cannot block the daemon. Further lines are dropped until the reader reads again;
 * the output then states the number of lost lines. A closed pipe is not an error.
 */
import * as Fs from "node:fs"
import process from "node:process"

const descriptor = 2

// Node makes a pipe non-blocking when it creates this stream. A write to a blocking one would wait without limit.
void process.stderr

/** The longest wait of one line for a reader that does not read, in ms. */
const patienceMillis = 1_000

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** The result of a write: complete, closed pipe, or the number of bytes written before the reader stopped reading. */
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

/** Writes the rest of an unfinished line; returns false while the reader still does not read. */
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
  if (report > 0) writeText(`${report} log lines were lost because standard error was not read\n`)
  return true
}

const writeText = (text: string): void => {
  const bytes = encoder.encode(text)
  const outcome = writeAll(bytes, patienceMillis)
  if (typeof outcome === "object") unfinished = bytes.subarray(outcome.stuckAt)
}

/** Writes one line, given without its line end. */
export const writeLine = (line: string): void => {
  if (caughtUp()) writeText(`${line}\n`)
  else missed++
}
