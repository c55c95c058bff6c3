/**
 * The file operations of `nsq_to_file` as a service, so that tests can replace the disk. The live Layer, `NodeOutputFiles`, is
 * the only module of this tool that accesses the file system.
 */
import { Context, Data, type Effect } from "effect"

/** A file operation failed, for example `write /logs/orders.log: no space left on device`. */
export class OutputFileError extends Data.TaggedError("OutputFileError")<{
  readonly operation: string
  readonly path: string
  /** Code of the operating system, for example `ENOSPC`. */
  readonly code: string
  /** Message of the operating system. */
  readonly text: string
}> {
  override get message(): string {
    return `${this.operation} ${this.path}: ${this.text}`
  }
}

/** A file open for appending. */
export interface OutputFile {
  /** Size in bytes when it was opened. */
  readonly size: number
  /** Whether its last line had no newline when it was opened. */
  readonly endsInLine: boolean
  /** Appends all bytes. After a failure some of them may be in the file. */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, OutputFileError>
  /** Completes when all written bytes are on disk. */
  readonly sync: Effect.Effect<void, OutputFileError>
  readonly truncate: (size: number) => Effect.Effect<void, OutputFileError>
  readonly close: Effect.Effect<void, OutputFileError>
}

/** File operations. They cannot be interrupted, because the operating system completes what it has begun. */
export class OutputFiles extends Context.Service<OutputFiles, {
  /**
   * Opens a file for appending and creates it if it does not exist, with mode 0666 less the umask. With `new` it fails with
   * `EEXIST` if the file exists. Never follows a symbolic link at the path of the file: fails with `ELOOP`. Fails with `EINVAL`
   * if it is not a regular file.
   */
  readonly open: (path: string, mode: "new" | "append") => Effect.Effect<OutputFile, OutputFileError>
  /** Returns the size at this path in bytes, or `undefined` if it does not exist. */
  readonly size: (path: string) => Effect.Effect<number | undefined, OutputFileError>
  /** Creates a directory with mode 0770 less the umask, unless the path exists. */
  readonly makeDirectory: (path: string, options?: { readonly recursive: true }) => Effect.Effect<void, OutputFileError>
  /** Returns the absolute path without symbolic links. */
  readonly realPath: (path: string) => Effect.Effect<string, OutputFileError>
  /** Creates a hard link. Fails with `EEXIST` if the path exists, and with `EXDEV` on another file system. */
  readonly link: (from: string, to: string) => Effect.Effect<void, OutputFileError>
  readonly rename: (from: string, to: string) => Effect.Effect<void, OutputFileError>
  readonly remove: (path: string) => Effect.Effect<void, OutputFileError>
  /** Copies to a new file, and completes when the copy is on disk. */
  readonly copy: (from: string, to: string) => Effect.Effect<void, OutputFileError>
  /** Completes when the entries of a directory are on disk, if the file system supports that. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, OutputFileError>
}>()("effect-nsq/utilities/OutputFiles") {}
