/**
 * The command line of this program. All users of a machine can read the command lines of its processes, so secrets in it are
 * masked at once; they are visible from the start of the process until then.
 */
import { readFileSync } from "node:fs"
import process from "node:process"
import { maskedArguments } from "../services/core/Masked.ts"

/** Returns the command line as the operating system shows it, or rebuilds it from Node's where that file does not exist. */
const ofProcess = (): ReadonlyArray<string> => {
  try {
    return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1)
  } catch {
    return [process.argv0, ...process.execArgv, ...process.argv.slice(1)]
  }
}

/** Masks secrets. Node writes a title over the memory of the arguments, so the masked text must not be longer. */
const hideSecrets = (): void => {
  const shown = ofProcess()
  const safe = maskedArguments(shown)
  if (safe.some((arg, i) => arg !== shown[i])) process.title = safe.join(" ")
}

/** Returns the arguments after the program's name. */
export const read = (): ReadonlyArray<string> => {
  hideSecrets()
  return process.argv.slice(2)
}
