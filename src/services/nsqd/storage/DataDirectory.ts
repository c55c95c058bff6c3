/**
 * The lock of the data directory: one nsqd at a time holds an exclusive flock(2) on the directory itself, the same
 * lock as in NSQ, so that neither starts on the other's data. The kernel releases it whenever the daemon ends.
 *
 * Node has no flock. The lock belongs to the open file, not to the process that took it: on Linux the program `flock`
 * inherits our open directory and locks it; BSD and macOS lock in open(2).
 */
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as SystemText from "../../core/SystemText.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"

const failed = (description: string, isInUse = false) =>
  Effect.fail(new StorageError({ reason: StorageErrorReason.LockFailure({ description, isInUse }) }))

const inUse = (directory: string) =>
  failed(
    `cannot flock directory ${directory} - resource temporarily unavailable (possibly in use by another instance of nsqd)`,
    true
  )

/** open(2) flags of BSD and macOS: lock exclusively, do not wait. */
const O_EXLOCK = 0x20
const O_NONBLOCK = 0x4
const locksOnOpen = process.platform === "darwin" || process.platform.endsWith("bsd")

/** What to do about a directory that cannot be opened, by Node's code of the error. */
const remedies: Readonly<Record<string, string>> = {
  EACCES: "; run it as the owner of the directory, or choose another --data-path",
  ENOENT: "; create the directory, or choose another --data-path",
  ENOTDIR: "; choose a directory as --data-path"
}

const openDirectory = (directory: string): Effect.Effect<number, StorageError> =>
  Effect.callback((resume) => {
    const flags = Fs.constants.O_RDONLY | (locksOnOpen ? O_EXLOCK | O_NONBLOCK : Fs.constants.O_DIRECTORY)
    Fs.open(directory, flags, (error, fd) => {
      if (error === null) return resume(Effect.succeed(fd))
      const remedy = remedies[error.code ?? ""] ?? ""
      resume(
        error.code === "EAGAIN" ? inUse(directory) : failed(`open ${directory}: ${SystemText.textOf(error)}${remedy}`)
      )
    })
  })

const flock = (directory: string, fd: number): Effect.Effect<void, StorageError> =>
  Effect.callback((resume) => {
    const child = spawn("flock", ["-x", "-n", "3"], { stdio: ["ignore", "ignore", "ignore", fd] })
    child.once("error", (error: NodeJS.ErrnoException) => {
      const reason = error.code === "ENOENT"
        ? "the flock program is not installed; install util-linux or BusyBox"
        : `cannot run the flock program: ${error.message}`
      resume(failed(`cannot flock directory ${directory} - ${reason}`))
    })
    child.once("exit", (code) => {
      resume(
        code === 0
          ? Effect.void
          : code === 1
          ? inUse(directory)
          : failed(`cannot flock directory ${directory} - flock exited with ${code}`)
      )
    })
  })

/**
 * Locks the directory until the Scope closes. An empty path means the working directory. Fails with the reason `LockFailure`.
 *
 * @since 0.1.0
 * @category operations
 */
export const lock = (dataPath: string): Effect.Effect<void, StorageError, Scope.Scope> => {
  const directory = dataPath === "" ? "." : dataPath
  return Effect.acquireRelease(
    openDirectory(directory),
    (fd) => Effect.callback<void>((resume) => Fs.close(fd, () => resume(Effect.void)))
  ).pipe(
    Effect.flatMap((fd) =>
      // Windows has no such lock, and NSQ does not lock there either.
      locksOnOpen || process.platform === "win32" ? Effect.void : flock(directory, fd)
    )
  )
}
