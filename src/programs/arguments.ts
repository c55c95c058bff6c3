/**
 * The command line of the program that runs. Every user of a machine can read the command lines of all its processes, so secrets
 * on it are hidden there at once; from the start of the process until then they can be seen.
 */
import { readFileSync } from "node:fs"
import process from "node:process"
import { maskedArguments } from "../services/core/Masked.ts"

/** The command line as the operating system knows it, or what Node has made of it where there is no such file. */
const ofProcess = (): ReadonlyArray<string> => {
  try {
    return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(0, -1)
  } catch {
    return [process.argv0, ...process.execArgv, ...process.argv.slice(1)]
  }
}

/** Node writes a title over the memory of the arguments, which has room for no more than they have taken. */
const hideSecrets = (): void => {
  const shown = ofProcess()
  const safe = maskedArguments(shown)
  if (safe.some((arg, i) => arg !== shown[i])) process.title = safe.join(" ")
}

/** The arguments that follow the program's name. */
export const read = (): ReadonlyArray<string> => {
  hideSecrets()
  return process.argv.slice(2)
}
