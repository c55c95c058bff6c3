/**
 * The machine of a disk in memory: it counts operations, makes them fail on demand, and stops at one of them as in a crash.
 */
import { Latch, Result } from "effect"
import { DiskError } from "../../services/nsqd/disk/Disk.ts"
import * as Fate from "./Fate.ts"

/**
 * The operations that can fail. Replacing a text file is `open`, `write`, `fsync` and `rename` of its path.
 *
 * @since 0.1.0
 * @category models
 */
export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "fsync"
  | "truncate"
  | "rename"
  | "remove"
  | "mkdir"
  | "rmdir"
  | "list"
  | "statfs"

/**
 * A write that fails after a number of bytes.
 *
 * @since 0.2.0
 * @category models
 */
export interface ShortWrite {
  /** The operating system's error code, for example `EIO`. */
  readonly code: string
  /** The number of bytes that are written before the failure. */
  readonly written: number
}

/**
 * Returns the error code of an operation, for example `ENOSPC` or `EIO`, or `undefined` to let it succeed. A failed write
 * leaves half of its bytes behind, or none after `EROFS`; return a `ShortWrite` to set their number.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault = (operation: DiskOperation, path: string) => string | ShortWrite | undefined

/** The effects of an operation. */
export interface Action<A> {
  /** Runs it; fails with an error code. */
  readonly run: () => Result.Result<A, string>
  /** Leaves what remains when the machine stops during the operation. Default: it runs or does nothing. */
  readonly interrupted?: (fate: Fate.Fate) => void
  /** Leaves what remains of an operation with a fault. Default: nothing. */
  readonly failed?: (fault: string | ShortWrite) => void
}

/** The code of every operation after a crash. */
export const crashCode = "ECRASHED"

export class Machine {
  fault: Fault | undefined
  /** Open while syncs complete. */
  readonly syncs = Latch.makeUnsafe(true)
  /** Open when the machine has stopped. */
  readonly stopped = Latch.makeUnsafe(false)
  /** The number of operations so far. */
  operations = 0
  /** The number of starts. Files that were opened before the last one cannot be used. */
  boots = 0
  /** The number of open files. */
  open = 0
  maxOpen = Infinity
  isStopped = false
  private stopAt = Infinity
  private fate = Fate.nothing

  /** Stops at the `operation`th operation from now; 0 stops at once. */
  crashAt(operation: number, fate: Fate.Fate): void {
    this.fate = fate
    this.stopAt = this.operations + operation
    if (operation === 0) this.stop()
  }

  /** Starts the machine, with all files closed. */
  start(): void {
    this.stop()
    this.boots++
    this.open = 0
    this.stopAt = Infinity
    this.isStopped = false
    this.stopped.closeUnsafe()
  }

  /** Runs an operation, unless it fails or the machine stops. */
  perform<A>(operation: DiskOperation, path: string, action: Action<A>): Result.Result<A, DiskError> {
    if (this.isStopped) return Result.fail(error(operation, path, crashCode))
    this.operations++
    if (this.operations >= this.stopAt) {
      if (action.interrupted !== undefined) action.interrupted(this.fate)
      else if (this.fate.completes()) action.run()
      this.stop()
      return Result.fail(error(operation, path, crashCode))
    }
    const fault = this.fault?.(operation, path)
    if (fault !== undefined) {
      action.failed?.(fault)
      return Result.fail(error(operation, path, typeof fault === "string" ? fault : fault.code))
    }
    return Result.mapError(action.run(), (code) => error(operation, path, code))
  }

  /** The code of a limit that another descriptor exceeds. */
  get descriptors(): Result.Result<void, string> {
    return this.open < this.maxOpen ? Result.succeed(undefined) : Result.fail("EMFILE")
  }

  private stop(): void {
    this.isStopped = true
    // Syncs that wait must fail, so that programs can be closed.
    this.syncs.openUnsafe()
    this.stopped.openUnsafe()
  }
}

/** The failure of an operation. */
export const error = (operation: DiskOperation | "stat", path: string, code: string): DiskError =>
  new DiskError({ operation, path, code, text: texts.get(code) ?? code })

const texts = new Map([
  [crashCode, "the machine has stopped"],
  ["EACCES", "permission denied"],
  ["EBADF", "bad file descriptor"],
  ["EIO", "input/output error"],
  ["EISDIR", "illegal operation on a directory"],
  ["EMFILE", "too many open files"],
  ["ENOENT", "no such file or directory"],
  ["ENOSPC", "no space left on device"],
  ["ENOTDIR", "not a directory"],
  ["ENOTEMPTY", "directory not empty"],
  ["EROFS", "read-only file system"]
])
