/**
 * The command line of this program. All users of a machine can read the command lines of its processes, so secrets in it are
 * masked at once; they are visible from the start of the process until then.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { basename } from "node:path"
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

/**
 * Names the process after the program: Node names it `MainThread`, and `pgrep -x nsqd` and `top` would not find it. The command line
 * stays as it is. Only Linux has this file, where `/proc` is mounted.
 */
const nameProcess = (): void => {
  const file = "/proc/self/comm"
  if (existsSync(file)) writeFileSync(file, basename(process.argv[1] ?? "node", ".ts"))
}

/** Returns the arguments after the program's name. */
export const read = (): ReadonlyArray<string> => {
  hideSecrets()
  nameProcess()
  return process.argv.slice(2)
}
