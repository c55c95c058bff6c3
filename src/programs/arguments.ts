/**
 * The command line of this program, and whether this Node can run it. All users of a machine can read the command lines of its processes, so secrets in it are
 * masked at once; they are visible from the start of the process until then.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { basename } from "node:path"
import process from "node:process"
import { maskedArguments } from "../services/core/Masked.ts"
import * as StandardError from "../services/logging/StandardError.ts"

/** The oldest Node that has all functions that the programs use; `engines` in package.json. */
const oldest = { major: 22, minor: 19 }

/** Returns why this version of Node cannot run a program; `undefined` if it can. */
export const refusalOf = (version: string): string | undefined => {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number)
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor)
    ? undefined
    : `cannot run on Node ${version}: it is older than ${oldest.major}.${oldest.minor}; install a newer version of Node`
}

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

/** Returns the arguments after the program's name. Exits with code 1 if Node is too old: the program would fail later. */
export const read = (): ReadonlyArray<string> => {
  const refusal = refusalOf(process.version)
  if (refusal !== undefined) {
    StandardError.writeLine(refusal)
    process.exit(1)
  }
  hideSecrets()
  nameProcess()
  return process.argv.slice(2)
}
