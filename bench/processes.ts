/**
 * All processes that the benchmark starts, so that none outlives it: each leads its own process group, and the groups are
 * killed when the benchmark ends for any reason.
 */
import type * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"

const running = new Set<ChildProcess.ChildProcess>()
const directories = new Set<string>()

/** Kills a process and its children with SIGKILL, because its data is discarded. */
export const kill = (child: ChildProcess.ChildProcess): void => {
  running.delete(child)
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, "SIGKILL")
  } catch {
    // It has already ended.
  }
}

/** Registers a process that was spawned with `detached: true`. */
export const own = <Child extends ChildProcess.ChildProcess>(child: Child): Child => {
  running.add(child)
  child.once("exit", () => running.delete(child))
  return child
}

export const ownDirectory = (path: string): string => {
  directories.add(path)
  return path
}

export const removeDirectory = (path: string): void => {
  directories.delete(path)
  Fs.rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}

process.once("exit", () => {
  for (const child of running) kill(child)
  for (const path of directories) removeDirectory(path)
})
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    process.stderr.write(`terminated by ${signal}\n`)
    process.exit(130)
  })
}

/** Rejects if `promise` takes longer than `milliseconds`. */
export const within = async <A>(milliseconds: number, what: string, promise: Promise<A>): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${milliseconds / 1000} s`)), milliseconds)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
