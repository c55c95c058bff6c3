/**
 * The file operations that storage is made of, so that tests can put a disk of their own in their place. The live Layer,
 * `NodeDisk`, is the only place that touches the file system for data.
 */
import { Context, type Effect, type Result, Schema } from "effect"

/** An operation on a file failed: `open /data/t.diskqueue.000000.dat: no such file or directory`, as NSQ words it. */
export class DiskError extends Schema.TaggedError<DiskError>()("DiskError", {
  operation: Schema.String,
  path: Schema.String,
  /** The operating system's name for the failure, such as `ENOENT`. */
  code: Schema.String,
  /** The operating system's text for it. */
  text: Schema.String
}) {
  override get message(): string {
    return `${this.operation} ${this.path}: ${this.text}`
  }
}

/** An open file. Offsets and sizes in bytes. */
export interface DiskFile {
  /** Reads into `buffer` from `position`; the bytes read, fewer than asked only at the end of the file. */
  readonly read: (buffer: Buffer, position: number) => Effect.Effect<number, DiskError>
  /** Writes all of the buffers, one after another, from `position`. */
  readonly write: (buffers: ReadonlyArray<Uint8Array>, position: number) => Effect.Effect<void, DiskError>
  /** Completes once everything written is on the disk. */
  readonly sync: Effect.Effect<void, DiskError>
  readonly truncate: (size: number) => Effect.Effect<void, DiskError>
  readonly size: Effect.Effect<number, DiskError>
  readonly close: Effect.Effect<void>
}

/** How a file begins. */
export interface FileStart {
  /** The first bytes: as many as were asked for, or all of a shorter file. */
  readonly bytes: Buffer
  /** The size of the whole file, in bytes. */
  readonly size: number
}

/** In bytes. */
export interface DiskSpace {
  readonly free: number
  readonly total: number
}

export class Disk extends Context.Service<Disk, {
  /** Opens for reading. */
  readonly open: (path: string) => Effect.Effect<DiskFile, DiskError>
  /** Opens for writing; creates the file, readable by its owner only, when it does not exist. */
  readonly create: (path: string) => Effect.Effect<DiskFile, DiskError>
  /** Opens a file that exists for writing. */
  readonly openExisting: (path: string) => Effect.Effect<DiskFile, DiskError>
  readonly rename: (from: string, to: string) => Effect.Effect<void, DiskError>
  /** Removes a file; it need not exist. */
  readonly remove: (path: string) => Effect.Effect<void, DiskError>
  /** The names of the files in a directory. */
  readonly list: (directory: string) => Effect.Effect<ReadonlyArray<string>, DiskError>
  /**
   * Reads the first `maxBytes` bytes of a file, and its size, at once: everything else waits meanwhile. `undefined` when the
   * file does not exist. For the short files of which a start reads a few for each queue, and for nothing else.
   */
  readonly readStart: (path: string, maxBytes: number) => Result.Result<FileStart | undefined, DiskError>
  /** The text of a file, `undefined` when it does not exist. */
  readonly readText: (path: string) => Effect.Effect<string | undefined, DiskError>
  /** Replaces a file: readers see the old text or the new one, also after a crash. */
  readonly writeText: (path: string, text: string) => Effect.Effect<void, DiskError>
  /** Space for files of a directory: what is left, and how much there is in all. */
  readonly space: (directory: string) => Effect.Effect<DiskSpace, DiskError>
  /** Completes once files created, renamed and removed in a directory before are so after a loss of power, too. */
  readonly syncDirectory: (directory: string) => Effect.Effect<void, DiskError>
}>()("effect-nsq/storage/Disk") {}
