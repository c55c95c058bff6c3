/**
 * The file operations that `nsq_to_file` is made of, so that tests can use a disk of their own. The live Layer,
 * `NodeOutputFiles`, is the only place where this utility touches the file system.
 */
import { Context, type Effect, Schema } from "effect"

/** A file operation failed: `write /logs/orders.log: no space left on device`. */
export class OutputFileError extends Schema.TaggedError<OutputFileError>()("OutputFileError", {
  operation: Schema.String,
  path: Schema.String,
  /** The operating system's name for the failure, such as `ENOSPC`. */
  code: Schema.String,
  /** The operating system's text for it. */
  text: Schema.String
}) {
  override get message(): string {
    return `${this.operation} ${this.path}: ${this.text}`
  }
}

/** A file that is open for appending. */
export interface OutputFile {
  /** Bytes that the file had when it was opened. */
  readonly size: number
  /** Whether those bytes end in the middle of a line. */
  readonly endsInLine: boolean
  /** Appends all bytes. After a failure some of them may be in the file. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, OutputFileError>
  /** Completes once everything written is on the disk. */
  readonly sync: Effect.Effect<void, OutputFileError>
  readonly truncate: (size: number) => Effect.Effect<void, OutputFileError>
  readonly close: Effect.Effect<void, OutputFileError>
}

/** No operation can be interrupted: the operating system finishes what it has begun. */
export class OutputFiles extends Context.Service<OutputFiles, {
  /**
   * Opens a file for appending and creates it if it does not exist, with mode 0666 less the umask. With `new` it fails with
   * `EEXIST` if the name is taken. It never follows a symbolic link in the place of the file, and fails with `ELOOP`;
   * anything but a regular file fails with `EINVAL`.
   */
  readonly open: (path: string, mode: "new" | "append") => Effect.Effect<OutputFile, OutputFileError>
  /** The size of what has this name, in bytes; `undefined` if nothing has. */
  readonly size: (path: string) => Effect.Effect<number | undefined, OutputFileError>
  /** Creates a directory, with mode 0770 less the umask, unless the name is taken. */
  readonly makeDirectory: (path: string, options?: { readonly recursive: true }) => Effect.Effect<void, OutputFileError>
  /** The absolute path without symbolic links. */
  readonly realPath: (path: string) => Effect.Effect<string, OutputFileError>
  /** Gives a file a second name; fails with `EEXIST` if that is taken, with `EXDEV` on another file system. */
  readonly link: (from: string, to: string) => Effect.Effect<void, OutputFileError>
  readonly rename: (from: string, to: string) => Effect.Effect<void, OutputFileError>
  readonly remove: (path: string) => Effect.Effect<void, OutputFileError>
  /** Copies to a new file and completes once the copy is on the disk. */
  readonly copy: (from: string, to: string) => Effect.Effect<void, OutputFileError>
  /** Completes once the names in a directory are on the disk, where the file system can say so. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, OutputFileError>
}>()("effect-nsq/utilities/OutputFiles") {}
