/**
 * Verifies a data directory without changing it: its durable logs, disk queues, `nsqd.dat` and journal. Unlike the start of nsqd,
 * which reads positions and the end of files, it reads every byte.
 */
import { Clock, Effect, References } from "effect"
import * as Path from "node:path"
import { isEphemeral } from "../../../protocol/client/Names.ts"
import { parseQueueFileName } from "../../../protocol/storage/DiskQueueFormat.ts"
import { logDirectoryName, logsDirectoryName, topicsOfLogs } from "../../../protocol/storage/LogFiles.ts"
import { journalFileName } from "../../../protocol/storage/MetadataJournal.ts"
import { type SavedTopic, topicsByName } from "../../../protocol/storage/NsqdMetadata.ts"
import { Turns } from "../../core/Turns.ts"
import { Disk, type DiskError } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import * as DurabilityFile from "../storage/DurabilityFile.ts"
import * as PolicyFile from "../storage/PolicyFile.ts"
import { MetadataFile } from "../storage/MetadataFile.ts"
import { fromNames } from "../storage/QueueInventory.ts"
import { StorageHealth } from "../storage/StorageHealth.ts"
import { type DataReport, Findings, type Holding } from "./DataReport.ts"
import { Counted } from "./LogContents.ts"
import { type EachRecord, verifyLog } from "./LogVerification.ts"
import { type EachRun, verifyQueue } from "./QueueVerification.ts"

/** Receives the unfinished messages of a data directory, topic by topic. */
export interface DataSink {
  /** Messages of a log. */
  readonly logged: (topic: string, ...record: Parameters<EachRecord>) => ReturnType<EachRecord>
  /** Messages of a disk queue, named `topic` or `topic:channel`, that `nsqd.dat` lists. */
  readonly queued: (queue: string, run: Parameters<EachRun>[0]) => ReturnType<EachRun>
}

const nowhere: DataSink = { logged: () => Effect.void, queued: () => Effect.void }

/** The options of a verification. */
export interface VerificationOptions {
  readonly dataPath: string
  /** nsqd's `--max-msg-size`, in bytes: larger records are damage. */
  readonly maxMsgSize: number
  /** Messages that are due later are deferred, in ms since the Unix epoch. Default: the current time. */
  readonly now?: number
  /** Default: none. */
  readonly sink?: DataSink
}

/** What a verification works with. */
interface Surroundings extends Required<VerificationOptions> {
  readonly disk: Disk["Service"]
  readonly findings: Findings
}

/**
 * Verifies the data directory. Lock it first (`DataDirectory.lock`), because files that nsqd writes meanwhile look damaged. Fails
 * if the directory cannot be listed, or with the error of the sink; what is wrong with its files is in the report.
 */
export const verify = Effect.fnUntraced(function*(
  options: VerificationOptions
): Effect.fn.Return<DataReport, StorageError, Disk> {
  const disk = yield* Disk
  const findings = new Findings()
  const { dataPath } = options
  const now = options.now ?? (yield* Clock.currentTimeMillis)
  const surroundings: Surroundings = { sink: nowhere, ...options, disk, findings, now }
  const queues = filesByQueue(yield* Effect.mapError(disk.list(dataPath), StorageError.fromDisk))
  const saved = yield* loadMetadata(surroundings)
  const logs = yield* listLogs(surroundings)
  const queuesOf = Map.groupBy(queues.keys(), topicOf)
  const topics = new Set([...saved.keys(), ...logs, ...queuesOf.keys()])
  const holdings: Array<Holding> = []
  for (const topic of Array.from(topics).sort()) {
    const listed = saved.get(topic)
    if (logs.has(topic)) holdings.push(...yield* logHoldings(surroundings, topic, listed))
    const stored = queuesOf.get(topic) ?? []
    const names = new Set(logs.has(topic) ? stored : [...listedQueues(topic, listed), ...stored])
    for (const name of Array.from(names).sort()) {
      holdings.push(yield* queueHolding(surroundings, name, queues.get(name), listed))
    }
  }
  return { dataPath, holdings, damages: findings.damages, notes: findings.notes }
  // What is logged while nsqd opens a queue is damage in the report.
}, Effect.provideService(References.MinimumLogLevel, "None"))

const topicOf = (queue: string): string => queue.split(":", 1)[0] ?? queue
const channelOf = (queue: string): string | undefined => queue.split(":")[1]

/** Groups the names of files by their queue. */
export const filesByQueue = (names: ReadonlyArray<string>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const queues = new Map<string, Array<string>>()
  for (const name of names) {
    const queue = parseQueueFileName(name)?.queue
    if (queue === undefined) continue
    const files = queues.get(queue)
    if (files === undefined) queues.set(queue, [name])
    else files.push(name)
  }
  return queues
}

/** The queues of a listed topic, whether or not they have files. */
const listedQueues = (topic: string, listed: SavedTopic | undefined): ReadonlyArray<string> =>
  listed === undefined ? [] : [topic, ...Array.from(listed.channels.keys(), (channel) => `${topic}:${channel}`)]

/** The topics of `nsqd.dat` and its journal; none if it cannot be decoded. */
const loadMetadata = Effect.fnUntraced(function*(
  { dataPath, disk, findings }: Pick<Surroundings, "dataPath" | "disk" | "findings">
) {
  const file = new MetadataFile(disk, dataPath, yield* Turns, new StorageHealth())
  const metadata = yield* Effect.catch(file.load, (error) =>
    Effect.as(Effect.sync(() => findings.damage(file.path, 0, 0, error.message)), undefined))
  const durabilities = DurabilityFile.make(disk, dataPath)
  yield* Effect.catch(durabilities.load, (error) =>
    Effect.sync(() => findings.damage(durabilities.path, 0, 0, error.message)))
  const policies = PolicyFile.make(disk, dataPath)
  yield* Effect.catch(policies.load, (error) => Effect.sync(() => findings.damage(policies.path, 0, 0, error.message)))
  const journalPath = Path.join(dataPath, journalFileName)
  const journal = yield* Effect.catch(disk.readText(journalPath), () => Effect.undefined)
  const foreign = journal?.search(/[^\n -~]/) ?? -1
  if (foreign >= 0) {
    findings.damage(journalPath, foreign, 0, "other bytes than text: creations since nsqd.dat was written may be missing")
  }
  return topicsByName(metadata)
})

/** The topics with a log. */
const listLogs = Effect.fnUntraced(function*({ dataPath, disk, findings }: Surroundings) {
  const path = Path.join(dataPath, logsDirectoryName)
  const names = yield* Effect.catch(disk.list(path), (error) => {
    if (error.code !== "ENOENT") findings.damage(path, 0, 0, error.message)
    return Effect.succeed([])
  })
  return new Set(topicsOfLogs(names))
})

const logHoldings = Effect.fnUntraced(function*(
  { dataPath, disk, findings, now, sink }: Surroundings,
  topic: string,
  listed: SavedTopic | undefined
): Effect.fn.Return<ReadonlyArray<Holding>, StorageError> {
  const directory = Path.join(dataPath, logsDirectoryName, logDirectoryName(topic))
  const each: EachRecord = (contents, header, frames) => sink.logged(topic, contents, header, frames)
  const contents = yield* reported(verifyLog(disk, directory, now, findings, each), findings)
  const holding = (channel: string | undefined, isPaused: boolean, counted: Counted): Holding => ({
    topic,
    channel,
    storage: "log",
    isPaused,
    isListed: true,
    messages: counted.messages,
    deferred: counted.deferred,
    bytes: counted.bytes,
    headers: Object.fromEntries(counted.headers)
  })
  const counted = new Map(contents?.channels.map(({ channel, counted }) => [channel, counted]))
  const channels = new Set([...counted.keys(), ...listed?.channels.keys() ?? []])
  return [
    holding(undefined, listed?.paused === true, contents?.topic.counted ?? new Counted()),
    ...Array.from(channels).filter((channel) => !isEphemeral(channel)).sort().map((channel) =>
      holding(channel, listed?.channels.get(channel) === true, counted.get(channel) ?? new Counted())
    )
  ]
})

const queueHolding = Effect.fnUntraced(function*(
  { dataPath, disk, findings, maxMsgSize, sink }: Surroundings,
  name: string,
  files: ReadonlyArray<string> | undefined,
  listed: SavedTopic | undefined
): Effect.fn.Return<Holding, StorageError> {
  const queue = { dataPath, name, maxMsgSize, inventory: fromNames(name, files ?? []) }
  const channel = channelOf(name)
  const isListed = listed !== undefined && (channel === undefined || listed.channels.has(channel))
  const each: EachRun = (run) => isListed ? sink.queued(name, run) : Effect.void
  const counted = files === undefined ? undefined : yield* reported(verifyQueue(disk, queue, findings, each), findings)
  return {
    topic: topicOf(name),
    channel,
    storage: "queue",
    isPaused: (channel === undefined ? listed?.paused : listed?.channels.get(channel)) === true,
    isListed,
    messages: counted?.messages ?? 0,
    deferred: 0,
    bytes: counted?.bytes ?? 0,
    headers: {}
  }
})

/** A file that cannot be read is damage, and everything else is verified. */
const reported = <A>(
  work: Effect.Effect<A, DiskError | StorageError>,
  findings: Findings
): Effect.Effect<A | undefined, StorageError> =>
  Effect.catchTag(work, "DiskError", (error) => {
    findings.damage(error.path, 0, 0, error.message)
    return Effect.undefined
  })
