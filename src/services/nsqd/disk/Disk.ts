/**
 * The file operations of storage as a service, so that tests can replace the disk. `NodeDisk` implements it for the
 * file system.
 */
import { Context, Data, type Effect, type Result } from "effect"

/**
 * A file operation failed. The message has NSQ's form:
 * `open /data/t.diskqueue.000000.dat: no such file or directory`.
 *
 * @since 0.2.0
 * @category errors
 */
export class DiskError extends Data.TaggedError("DiskError")<{
  readonly operation: string
  readonly path: string
  /** The operating system's error code, such as `ENOENT`. */
  readonly code: string
  /** The operating system's error text. */
  readonly text: string
}> {
  override get message(): string {
    return `${this.operation} ${this.path}: ${this.text}`
  }

  /** Whether the disk has no space. */
  get isFull(): boolean {
    return this.code === "ENOSPC" || this.code === "EDQUOT"
  }

  /** Whether the process or the machine has no file descriptors left. */
  get isExhausted(): boolean {
    return this.code === "EMFILE" || this.code === "ENFILE"
  }
}

/** An open file. Offsets and sizes are in bytes. */
export interface DiskFile {
  /**
   * Reads into `buffer` from `position`; returns the number of bytes, less than requested only at the end of the
   * file.
   */
  readonly read: (buffer: Buffer, position: number) => Effect.Effect<number, DiskError>
  /** Writes all buffers, one after another, from `position`. */
  readonly write: (buffers: ReadonlyArray<Uint8Array>, position: number) => Effect.Effect<void, DiskError>
  /** Completes once everything written is durable. */
  readonly sync: Effect.Effect<void, DiskError>
  readonly truncate: (size: number) => Effect.Effect<void, DiskError>
  readonly size: Effect.Effect<number, DiskError>
  readonly close: Effect.Effect<void>
}

/** The start of a file. */
export interface FileStart {
  /** The first bytes: as many as requested, or all of a shorter file. */
  readonly bytes: Buffer
  /** The size of the whole file, in bytes. */
  readonly size: number
}

/** In bytes. */
export interface DiskSpace {
  readonly free: number
  readonly total: number
}

/**
 * The file operations that storage needs. Paths are absolute or relative to the working directory.
 *
 * @since 0.2.0
 * @category services
 */
export class Disk extends Context.Service<Disk, {
  /** Opens for reading. */
  readonly open: (path: string) => Effect.Effect<DiskFile, DiskError>
  /** Opens for writing. A missing file is created, readable only by its owner. */
  readonly create: (path: string) => Effect.Effect<DiskFile, DiskError>
  /** Opens an existing file for writing. */
  readonly openExisting: (path: string) => Effect.Effect<DiskFile, DiskError>
  /** Like `openExisting`, but each write completes when its bytes are durable: one operation instead of a write and a sync. */
  readonly openDurable: (path: string) => Effect.Effect<DiskFile, DiskError>
  readonly rename: (from: string, to: string) => Effect.Effect<void, DiskError>
  /** Removes a file; succeeds if it does not exist. */
  readonly remove: (path: string) => Effect.Effect<void, DiskError>
  /** Creates a directory, readable only by its owner; succeeds if it exists. Its parent must exist. */
  readonly makeDirectory: (path: string) => Effect.Effect<void, DiskError>
  /** Removes an empty directory; succeeds if it does not exist. */
  readonly removeDirectory: (path: string) => Effect.Effect<void, DiskError>
  /** The names of the files and directories in a directory. */
  readonly list: (directory: string) => Effect.Effect<ReadonlyArray<string>, DiskError>
  /**
   * Reads a file's first `maxBytes` bytes and its size synchronously, which blocks everything else; `undefined` if
   * the file does not exist. Only for the few short files per queue that a start reads.
   */
  readonly readStart: (path: string, maxBytes: number) => Result.Result<FileStart | undefined, DiskError>
  /** The content of a file; `undefined` if it does not exist. */
  readonly readText: (path: string) => Effect.Effect<string | undefined, DiskError>
  /** Replaces a file atomically: readers see the old content or the new one, also after a crash. */
  readonly writeText: (path: string, text: string) => Effect.Effect<void, DiskError>
  /** Free and total space of the directory's file system. */
  readonly space: (directory: string) => Effect.Effect<DiskSpace, DiskError>
  /** Completes once previous file creations, renames and removals in the directory are durable. */
  readonly syncDirectory: (directory: string) => Effect.Effect<void, DiskError>
}>()("effect-nsq/storage/Disk") {}
