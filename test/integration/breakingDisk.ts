/**
 * A file system that becomes read-only while it is in use, as one does whose device fails: an ext4 image in a mount namespace
 * that a helper process keeps open. This needs root, loop devices and the trigger for errors of ext4.
 */
import { Effect, type Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { exitOf, temporaryDirectory } from "./daemon.ts"

export interface BreakingDisk {
  /** The data directory, as the daemon sees it. */
  readonly path: string
  /** The command that runs a command on that disk. */
  readonly on: (command: ReadonlyArray<string>) => ReadonlyArray<string>
  /** Makes the file system read-only for good. */
  readonly breakIt: Effect.Effect<void>
}

const mount = `truncate -s 64M "$0.img" && mkfs.ext4 -q -F -O ^has_journal "$0.img" &&
  mount -o loop,errors=remount-ro "$0.img" "$0" &&
  trigger=/sys/fs/ext4/$(basename "$(findmnt -n -o SOURCE "$0")")/trigger_fs_error && test -w "$trigger"`

/** Whether such a file system can be made here. */
export const canBreakDisks: boolean = process.platform === "linux" &&
  spawnSync("unshare", ["-m", "sh", "-c", `d=$(mktemp -d) && sh -c '${mount}' "$d"; r=$?; rm -f "$d.img"; exit $r`], {
      stdio: "ignore"
    }).status === 0

/** Creates the disk, which is removed with the Scope. */
export const breakingDisk: Effect.Effect<BreakingDisk, never, Scope.Scope> = Effect.gen(function*() {
  const path = join(yield* temporaryDirectory, "data")
  mkdirSync(path)
  const script = `${mount} && echo mounted && read line && echo 1 > "$trigger" && echo broken && exec cat`
  const keeper = yield* Effect.acquireRelease(
    Effect.sync(() => spawn("unshare", ["-m", "sh", "-c", script, path], { stdio: ["pipe", "pipe", "inherit"] })),
    (child) => Effect.andThen(Effect.sync(() => void child.kill("SIGKILL")), exitOf(child))
  )
  const said = Effect.callback<void>((resume) => {
    keeper.stdout.once("data", () => resume(Effect.void))
    keeper.stdout.once("end", () => resume(Effect.die(new Error("the file system of the test cannot be mounted"))))
  })
  yield* said
  return {
    path,
    on: (command) => ["nsenter", "-t", String(keeper.pid), "-m", "--", ...command],
    breakIt: Effect.suspend(() => {
      keeper.stdin.write("\n")
      return said
    })
  }
})
