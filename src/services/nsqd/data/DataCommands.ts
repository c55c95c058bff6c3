/**
 * The commands of `nsq data` (docs/operations.md#verify-a-data-directory): their options, and their work in the data directory of
 * a stopped nsqd.
 */
import { Effect } from "effect"
import * as Row from "../../options/OptionRow.ts"
import type { Disk } from "../disk/Disk.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { table as nsqdTable } from "../options/NsqdTable.ts"
import * as DataDirectory from "../storage/DataDirectory.ts"
import type { DataReport } from "./DataReport.ts"
import { verify as verifyDirectory } from "./Verification.ts"

/** The flags that all commands have. */
const common = {
  /** The data directory; required. */
  dataPath: Row.string("data-path", "", "data directory of a stopped nsqd"),
  maxMsgSize: nsqdTable.maxMsgSize
}

/** The flags of `nsq data verify`. */
export const verifyTable = {
  ...common,
  json: Row.bool("json", false, "print one JSON object")
}

/** The options of `nsq data verify`. */
export interface VerifyOptions {
  readonly dataPath: string
  readonly maxMsgSize: number
}

/** Verifies a data directory, which stays locked meanwhile. Changes nothing. */
export const verify = (options: VerifyOptions): Effect.Effect<DataReport, StorageError, Disk> =>
  Effect.scoped(Effect.andThen(DataDirectory.lock(options.dataPath), verifyDirectory(options)))
