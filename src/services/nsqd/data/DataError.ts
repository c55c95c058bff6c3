/** The error of the commands of `nsq data`. */
import { Data } from "effect"
import type { StorageError } from "../disk/StorageError.ts"

/**
 * The reasons of a `DataError`. After `Failure` and `Incomplete` files may have been written; after the others nothing has changed.
 */
export type DataErrorReason = Data.TaggedEnum<{
  /** The directory cannot be locked or listed. */
  NoDirectory: { readonly error: StorageError }
  /** The files have damage. */
  Damaged: { readonly description: string }
  /** Deferred messages that the format cannot hold, and no decision about them. */
  Deferred: { readonly description: string }
  /** The target has files. */
  NotEmpty: { readonly path: string }
  /** A file operation failed. */
  Failure: { readonly error: StorageError }
  /** Not everything is durable. */
  Incomplete: { readonly description: string }
}>

/** Constructors of the reasons. */
export const DataErrorReason = Data.taggedEnum<DataErrorReason>()

/** A command could not run, or not to its end. */
export class DataError extends Data.TaggedError("DataError")<{ readonly reason: DataErrorReason }> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "NoDirectory":
      case "Failure":
        return reason.error.message
      case "NotEmpty":
        return `cannot write to ${reason.path}: it is not empty; choose a new directory`
      default:
        return reason.description
    }
  }

  /** Whether the command has changed nothing. */
  get isRefusal(): boolean {
    return this.reason._tag !== "Failure" && this.reason._tag !== "Incomplete"
  }
}

/** Maps the error of a file operation. */
export const noDirectory = (error: StorageError): DataError => new DataError({ reason: DataErrorReason.NoDirectory({ error }) })

/** Maps the error of a file operation. */
export const failure = (error: StorageError): DataError => new DataError({ reason: DataErrorReason.Failure({ error }) })
