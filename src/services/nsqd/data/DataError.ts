/** The error of the commands of `nsq data`. */
import { Data, Effect } from "effect"
import type { StorageError } from "../disk/StorageError.ts"
import type { DataReport } from "./DataReport.ts"

/**
 * The reasons of a `DataError`. After `Failure` and `Incomplete` files may have been written; after the others nothing has changed.
 */
export type DataErrorReason = Data.TaggedEnum<{
  /** The directory cannot be locked or listed. */
  NoDirectory: { readonly error: StorageError }
  /** An option is not valid. */
  InvalidOption: { readonly description: string }
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

/** Maps the error of opening a directory. */
export const noDirectory = (error: StorageError): DataError => new DataError({ reason: DataErrorReason.NoDirectory({ error }) })

/** Maps the error of a file operation. */
export const failure = (error: StorageError): DataError => new DataError({ reason: DataErrorReason.Failure({ error }) })

/** Fails with `Damaged` unless the files are intact or damaged messages are to be left out. */
export const checkIntact = (
  { damages, dataPath }: DataReport,
  skipsDamage: boolean
): Effect.Effect<void, DataError> => {
  const [first] = damages
  if (first === undefined || skipsDamage) return Effect.void
  const description =
    `${dataPath} is damaged, at first ${first.file} at ${first.position}, and nothing was written; nsq data verify lists the damage, --damaged=skip leaves the damaged messages out`
  return Effect.fail(new DataError({ reason: DataErrorReason.Damaged({ description }) }))
}
