/**
 * A small file system for a daemon: a tmpfs in a mount namespace that a helper process keeps open. This needs root or
 * unprivileged user namespaces. Without either, as in most containers, the daemon runs with `limitedDisk.mjs` preloaded, which
 * simulates the same errors at the same fill level in `node:fs`.
 *
 * `SMALL_DISK=limited` in the environment selects the second way even if both work.
 */
import { Effect, type Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join, resolve } from "node:path"
import { exitOf, temporaryDirectory } from "./daemon.ts"

export interface SmallDisk {
  /** The data directory, as the daemon sees it. */
  readonly path: string
  /** The same directory, as this process sees it. */
  readonly pathHere: string
  /** The command that runs a command on that disk. */
  readonly on: (command: ReadonlyArray<string>) => ReadonlyArray<string>
  readonly kind: "tmpfs" | "limited"
}

/** The command that creates namespaces here; `undefined` if that is not possible. */
const unshare = (): ReadonlyArray<string> | undefined => {
  if (process.env.SMALL_DISK === "limited") return undefined
  return [["-rm"], ["-m"]].find((flags) =>
    spawnSync("unshare", [...flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" }).status === 0
  )
}

const tmpfs = Effect.fnUntraced(function*(
  path: string,
  bytes: number,
  flags: ReadonlyArray<string>
): Effect.fn.Return<SmallDisk, never, Scope.Scope> {
  const script = `mount -t tmpfs -o size=${bytes} tmpfs "$0" && echo mounted && exec cat`
  const keeper = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("unshare", [...flags, "sh", "-c", script, path], { stdio: ["pipe", "pipe", "inherit"] })),
    (process) => Effect.andThen(Effect.sync(() => void process.kill("SIGKILL")), exitOf(process))
  )
  yield* Effect.callback<void>((resume) => {
    keeper.stdout.once("data", () => resume(Effect.void))
    keeper.once("exit", () => resume(Effect.die(new Error("the tmpfs of the test cannot be mounted"))))
  })
  const user = flags.includes("-rm") ? ["-U", "--preserve-credentials"] : []
  return {
    path,
    pathHere: `/proc/${keeper.pid}/root${path}`,
    on: (command) => ["nsenter", "-t", String(keeper.pid), ...user, "-m", "--", ...command],
    kind: "tmpfs"
  }
})

/** Creates a disk of this size in bytes, which is removed with the Scope. */
export const smallDisk = Effect.fnUntraced(function*(bytes: number): Effect.fn.Return<SmallDisk, never, Scope.Scope> {
  const path = join(yield* temporaryDirectory, "data")
  mkdirSync(path)
  const flags = process.platform === "linux" ? unshare() : undefined
  if (flags !== undefined) return yield* tmpfs(path, bytes, flags)
  const limiter = resolve(import.meta.dirname, "limitedDisk.mjs")
  return {
    path,
    pathHere: path,
    on: ([node = "", ...rest]) => [
      "env",
      `LIMITED_DISK=${path}`,
      `LIMITED_DISK_BYTES=${bytes}`,
      node,
      "--import",
      limiter,
      ...rest
    ],
    kind: "limited"
  }
})
