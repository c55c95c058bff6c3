/**
 * The error of storage. `DiskError` is the error of one file operation, with its path and code; the queues and the metadata
 * report it as a `StorageError`.
 */
import { Data } from "effect"
import type { DiskError } from "./Disk.ts"

/**
 * The reasons of a `StorageError`. `description` is the operating system's text, `code` its error code, such as `EIO`.
 *
 * @since 0.2.0
 * @category errors
 */
export type StorageErrorReason = Data.TaggedEnum<{
  /** The disk has no space (`ENOSPC`, `EDQUOT`): the only failure that consumers can end by reading. */
  DiskFull: { readonly description: string; readonly code: string }
  /** The process or the machine has no file descriptors left (`EMFILE`, `ENFILE`). */
  NoDescriptor: { readonly description: string; readonly code: string }
  /** A file operation failed for another reason. */
  DiskFailure: { readonly description: string; readonly code: string }
  /** The metadata file cannot be decoded. */
  InvalidMetadata: { readonly description: string }
  /** The storage keeps everything in memory, and a durable topic needs a disk. */
  NoDisk: { readonly description: string }
  /** The queue is closed. */
  Exiting: {}
  /** The data directory is missing, in use by a running nsqd (`isInUse`), or cannot be locked. */
  LockFailure: { readonly description: string; readonly isInUse: boolean }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const StorageErrorReason = Data.taggedEnum<StorageErrorReason>()

/**
 * Storing or reading failed, or the data directory cannot be used.
 *
 * @since 0.1.0
 * @category errors
 */
export class StorageError extends Data.TaggedError("StorageError")<{ readonly reason: StorageErrorReason }> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "Exiting":
        return "exiting"
      case "LockFailure":
        return `failed to lock data-path: ${reason.description}`
      default:
        return reason.description
    }
  }

  /** Converts the error of a file operation. */
  static fromDisk(error: DiskError): StorageError {
    const tag = error.isFull ? "DiskFull" : error.isExhausted ? "NoDescriptor" : "DiskFailure"
    return new StorageError({ reason: StorageErrorReason[tag]({ description: error.message, code: error.code }) })
  }

  /** Whether the disk has no space. */
  get isFull(): boolean {
    return this.reason._tag === "DiskFull"
  }
}
