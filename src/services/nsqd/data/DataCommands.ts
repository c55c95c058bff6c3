/**
 * The commands of `nsq data` (docs/operations.md#verify-a-data-directory): their options, and their work in the data directory of
 * a stopped nsqd.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import * as Row from "../../options/OptionRow.ts"
import { Disk } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import { table as nsqdTable } from "../options/NsqdTable.ts"
import * as DataDirectory from "../storage/DataDirectory.ts"
import { type DataError, noDirectory } from "./DataError.ts"
import type { DataReport } from "./DataReport.ts"
import { type DeferredDecision, exportDirectory, type ExportResult } from "./Export.ts"
import { importDirectory, type ImportOptions, type ImportResult } from "./Import.ts"
import { verify as verifyDirectory } from "./Verification.ts"

/** The flags that all commands have. */
const common = {
  /** The data directory; required. */
  dataPath: Row.string("data-path", "", "data directory of a stopped nsqd"),
  maxMsgSize: nsqdTable.maxMsgSize
}

const damaged = Row.oneOf(
  "damaged",
  ["stop", "skip"],
  "stop",
  "what happens if files are damaged: stop before anything is written, skip leaves the damaged messages out"
)

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
export const verify = (options: VerifyOptions): Effect.Effect<DataReport, DataError, Disk> =>
  Effect.andThen(DataDirectory.lock(options.dataPath), verifyDirectory(options)).pipe(
    Effect.scoped,
    Effect.mapError(noDirectory)
  )

/** The flags of `nsq data export`. */
export const exportTable = {
  ...common,
  maxBytesPerFile: nsqdTable.maxBytesPerFile,
  format: Row.oneOf("format", ["nsq"], "nsq", "format to write: nsq, the disk queues of NSQ's nsqd"),
  to: Row.string("to", "", "directory to write to, which must be empty or missing; by default the logs are replaced in place"),
  deferred: Row.oneOf(
    "deferred",
    ["stop", "now", "drop"],
    "stop",
    "what happens to deferred messages, which NSQ's format cannot hold: stop before anything is written, now makes them due at once, drop discards them"
  ),
  damaged
}

/** The options of `nsq data export`. */
export interface ExportFlags {
  readonly dataPath: string
  readonly maxMsgSize: number
  readonly maxBytesPerFile: number
  /** Empty to replace the logs in place. */
  readonly to: string
  readonly deferred: DeferredDecision
  readonly damaged: "stop" | "skip"
}

/** Writes durable topics back to NSQ's format; both directories stay locked meanwhile. */
export const toNsq = ({ damaged, to, ...options }: ExportFlags): Effect.Effect<ExportResult, DataError, Disk> =>
  Effect.scoped(Effect.gen(function*() {
    const { dataPath } = options
    yield* Effect.mapError(DataDirectory.lock(dataPath), noDirectory)
    const isInPlace = to === "" || Path.resolve(to) === Path.resolve(dataPath)
    if (!isInPlace) {
      const disk = yield* Disk
      yield* Effect.mapError(disk.makeDirectory(to), (error) => noDirectory(StorageError.fromDisk(error)))
      yield* Effect.mapError(DataDirectory.lock(to), noDirectory)
    }
    return yield* exportDirectory({ ...options, to: isInPlace ? dataPath : to, skipsDamage: damaged === "skip" })
  }))

/** The flags of `nsq data import`. */
export const importTable = {
  ...common,
  segmentSize: nsqdTable.segmentSize,
  minFreeBytes: nsqdTable.minFreeBytes,
  durability: Row.oneOf("durability", ["written", "synced"], "synced", "durability of the topics: written or synced"),
  topics: Row.strings("topic", "pattern of the topics to import, with * and ?; without it all topics"),
  damaged
}

/** The options of `nsq data import`. */
export interface ImportFlags extends Omit<ImportOptions, "skipsDamage"> {
  readonly damaged: "stop" | "skip"
}

/** Moves NSQ's disk queues into logs; the directory stays locked meanwhile. */
export const fromNsq = ({ damaged, ...options }: ImportFlags): Effect.Effect<ImportResult, DataError, Disk> =>
  Effect.mapError(DataDirectory.lock(options.dataPath), noDirectory).pipe(
    Effect.andThen(importDirectory({ ...options, skipsDamage: damaged === "skip" })),
    Effect.scoped
  )
