/**
 * Standard output of the utilities.
 */
import { Effect } from "effect"
import * as Fs from "node:fs"
import process from "node:process"
import { isatty } from "node:tty"
import { getSystemErrorMessage } from "node:util"
import { type ToolError, toolError } from "./ToolError.ts"

const descriptor = 1

let kind: "file" | "stream" | undefined

/** Node does not notice when a file takes only a part of what is written, as a full disk does. */
const isFile = (): boolean => {
  if (kind === undefined) {
    const stats = Fs.fstatSync(descriptor)
    kind = stats.isFile() || (stats.isCharacterDevice() && !isatty(descriptor)) ? "file" : "stream"
  }
  return kind === "file"
}

type Done = (error: NodeJS.ErrnoException | null | undefined) => void

const writeToFile = (bytes: Uint8Array, done: Done): void =>
  Fs.write(descriptor, bytes, (error, written) => {
    if (error !== null || written >= bytes.length) return done(error)
    writeToFile(bytes.subarray(written), done)
  })

const failed = (error: NodeJS.ErrnoException): ToolError => {
  const reason = error.errno === undefined ? error.message : getSystemErrorMessage(error.errno)
  return toolError(`ERROR: failed to write to os.Stdout - write /dev/stdout: ${reason}`)
}

/**
 * Completes once standard output has taken all bytes, so that a slow reader slows the utility down, and fails if it does not
 * take them. When nothing reads any more it never completes, and the program ends.
 */
export const print = (text: Buffer | string): Effect.Effect<void, ToolError> =>
  Effect.callback((resume) => {
    const done: Done = (error) => {
      if (error === null || error === undefined) return resume(Effect.void)
      if (error.code !== "EPIPE") resume(Effect.fail(failed(error)))
    }
    if (isFile()) writeToFile(Buffer.from(text), done)
    else process.stdout.write(text, done)
  })
