/**
 * Standard output of the tools.
 */
import { Effect } from "effect"
import * as Fs from "node:fs"
import process from "node:process"
import { isatty } from "node:tty"
import { getSystemErrorMessage } from "node:util"
import { type ToolError, toolError } from "./ToolError.ts"

const descriptor = 1

let kind: "file" | "stream" | undefined

/** Whether standard output is a file. Node does not detect partial writes to files, which occur on a full disk. */
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
  return toolError("OutputFailure", `ERROR: failed to write to os.Stdout - write /dev/stdout: ${reason}`)
}

/**
 * Completes when standard output has taken all bytes, so that a slow reader slows the tool down, and fails if the write fails.
 * On EPIPE it never completes, and the program ends.
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
