/**
 * Writes durable topics back to NSQ's format (docs/durability.md#roll-back-to-nsqs-nsqd): disk queues of topics and channels, and
 * `nsqd.dat`. Reads everything once before it writes anything, so that what cannot be exported is known.
 */
import { Clock, Effect } from "effect"
import * as Path from "node:path"
import { fillingFileName, logDirectoryName, logsDirectoryName } from "../../../protocol/storage/LogFiles.ts"
import type { NsqdMetadata } from "../../../protocol/storage/NsqdMetadata.ts"
import { Turns } from "../../core/Turns.ts"
import { version } from "../../core/Version.ts"
import { Disk, type DiskError } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import * as Filling from "../log/Filling.ts"
import { removeDeletedLogs } from "../log/LogRemoval.ts"
import { MetadataFile } from "../storage/MetadataFile.ts"
import { StorageHealth } from "../storage/StorageHealth.ts"
import { checkIntact, DataError, DataErrorReason, failure, noDirectory } from "./DataError.ts"
import { type DataReport, type Holding, headersOf, nameOf } from "./DataReport.ts"
import { QueueSink } from "./QueueSink.ts"
import { filesByQueue, verify } from "./Verification.ts"

/** What happens to deferred messages, which NSQ's format cannot hold. */
export type DeferredDecision = "stop" | "now" | "drop"

/** The options of an export. */
export interface ExportOptions {
  readonly dataPath: string
  /** The directory to write to, which must be empty; `dataPath` to replace the logs in place. */
  readonly to: string
  readonly deferred: DeferredDecision
  /** Whether damaged messages are left out; otherwise damage prevents the export. */
  readonly skipsDamage: boolean
  readonly maxMsgSize: number
  readonly maxBytesPerFile: number
}

/** What an export has written. */
export interface ExportResult {
  readonly to: string
  /** The topics and channels that had a log. */
  readonly holdings: ReadonlyArray<Holding>
  readonly deferred: DeferredDecision
}

const refuse = (reason: DataErrorReason): Effect.Effect<never, DataError> => Effect.fail(new DataError({ reason }))

/** Fails with `Deferred` if there are deferred messages and no decision about them. */
const checkDeferred = ({ holdings }: DataReport, deferred: DeferredDecision): Effect.Effect<void, DataError> => {
  const waiting = holdings.filter((holding) => holding.deferred > 0)
  if (waiting.length === 0 || deferred !== "stop") return Effect.void
  const list = waiting.map((holding) => `  ${nameOf(holding)}  ${holding.deferred}`)
  const description =
    `NSQ's format cannot hold deferred messages, and nothing was written; choose --deferred=now, which makes them due at once, or --deferred=drop:\n${
      list.join("\n")
    }`
  return refuse(DataErrorReason.Deferred({ description }))
}

/** `nsqd.dat` with all topics and channels that are listed or have a log. */
const metadataOf = ({ holdings }: DataReport): NsqdMetadata => {
  const topics = Map.groupBy(holdings.filter(({ isListed }) => isListed), ({ topic }) => topic)
  return {
    version,
    topics: Array.from(topics, ([name, rows]) => ({
      name,
      paused: rows.some(({ channel, isPaused }) => channel === undefined && isPaused),
      channels: rows.flatMap(({ channel, isPaused }) => channel === undefined ? [] : [{ name: channel, paused: isPaused }])
    }))
  }
}

/**
 * Exports the directory, whose lock the caller holds, as that of `to`. Deletes the logs when it writes in place and everything is
 * durable.
 */
export const exportDirectory = Effect.fnUntraced(function*(
  options: ExportOptions
): Effect.fn.Return<ExportResult, DataError, Disk> {
  const { dataPath, deferred, maxBytesPerFile, maxMsgSize, skipsDamage, to } = options
  const disk = yield* Disk
  const isInPlace = to === dataPath
  const now = yield* Clock.currentTimeMillis
  const report = yield* Effect.mapError(verify({ dataPath, maxMsgSize, now }), noDirectory)
  yield* checkIntact(report, skipsDamage)
  yield* checkDeferred(report, deferred)
  const names = yield* Effect.mapError(disk.list(to), (error) => noDirectory(StorageError.fromDisk(error)))
  if (!isInPlace && names.length > 0) return yield* refuse(DataErrorReason.NotEmpty({ path: to }))
  const before = filesByQueue(names)
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const sink = new QueueSink(
    disk,
    { dataPath: to, maxBytesPerFile, maxMsgSize, syncEvery: Infinity },
    before,
    deferred === "now",
    (work) => void fork(work)
  )
  const logged = report.holdings.filter(({ storage }) => storage === "log")
  const copy = Effect.gen(function*() {
    const { holdings } = yield* verify({
      dataPath,
      maxMsgSize,
      now,
      sink: {
        logged: (topic, contents, header, frames) => sink.logged(topic, contents, header, frames),
        queued: (queue, run) => isInPlace ? Effect.void : sink.queued(queue, run)
      }
    })
    yield* sink.close
    const isSame = JSON.stringify(logged) === JSON.stringify(holdings.filter(({ storage }) => storage === "log"))
    if (isSame && !sink.hasFailed) return
    const problem = isSame ? `not everything could be written to ${to} durably` : `${dataPath} has changed while it was read`
    return yield* refuse(DataErrorReason.Incomplete({ description: `${problem}: the logs in ${dataPath} are unchanged` }))
  })
  yield* copy.pipe(
    Effect.onError(() => Effect.andThen(Effect.ignore(sink.close), Effect.ignore(removeNew(disk, to, before)))),
    Effect.catchTag("StorageError", (error) => Effect.fail(failure(error)))
  )
  const file = new MetadataFile(disk, to, yield* Turns, new StorageHealth())
  yield* Effect.andThen(file.load, file.save(() => metadataOf(report))).pipe(Effect.mapError(failure))
  if (isInPlace) yield* Effect.mapError(removeLogs(disk, dataPath, logged), (error) => failure(StorageError.fromDisk(error)))
  return { to, holdings: logged, deferred }
})

/** Removes the files of queues that did not exist before: the logs still have their messages. */
const removeNew = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  directory: string,
  before: ReadonlyMap<string, unknown>
): Effect.fn.Return<void, DiskError> {
  for (const [queue, names] of filesByQueue(yield* disk.list(directory))) {
    if (before.has(queue)) continue
    for (const name of names) yield* disk.remove(Path.join(directory, name))
  }
})

/**
 * Removes the logs of these topics, whose messages are in the disk queues. A log that is marked as incomplete counts as empty, so
 * that an end of the process in between brings no message back.
 */
const removeLogs = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  dataPath: string,
  holdings: ReadonlyArray<Holding>
): Effect.fn.Return<void, DiskError> {
  const logs = Path.join(dataPath, logsDirectoryName)
  const directories = Array.from(
    new Set(holdings.map(({ topic }) => topic)),
    (topic) => Path.join(logs, logDirectoryName(topic))
  )
  yield* disk.syncDirectory(dataPath)
  for (const directory of directories) yield* Filling.begin(disk, directory)
  for (const directory of directories) {
    for (const name of yield* disk.list(directory)) {
      if (name !== fillingFileName) yield* disk.remove(Path.join(directory, name))
    }
    yield* disk.remove(Path.join(directory, fillingFileName))
    yield* disk.removeDirectory(directory)
  }
  if (directories.length === 0) return
  yield* removeDeletedLogs(disk, logs, yield* disk.list(logs))
  yield* disk.removeDirectory(logs)
  yield* disk.syncDirectory(dataPath)
})

/** Returns the result as text: a line per topic and channel, and the sum. */
export const toText = ({ deferred, holdings, to }: ExportResult): string => {
  const lines = holdings.map((holding) => {
    const due = deferred === "now" ? "due now" : "dropped"
    const counts = `messages ${holding.messages}`
    const headers = headersOf(holding)
    return `${nameOf(holding)}  ${counts}${holding.deferred > 0 ? `  deferred ${holding.deferred} (${due})` : ""}${
      headers === "" ? "" : `  headers removed, which NSQ's format cannot hold: ${headers}`
    }`
  })
  return [...lines, `${to} has all topics in NSQ's format`].join("\n")
}
