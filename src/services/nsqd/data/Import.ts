/**
 * Moves the messages of NSQ's disk queues into logs (docs/durability.md#change-the-durability), as nsqd does at its start for topics
 * whose durability has changed. A killed import loses nothing: until a log is complete, its messages are in the disk queues.
 */
import { Effect, Layer } from "effect"
import { isChannelName, isEphemeral, isTopicName, type TopicName } from "../../../protocol/client/Names.ts"
import { type SavedTopic, topicsByName } from "../../../protocol/storage/NsqdMetadata.ts"
import { opening } from "../broker/Carried.ts"
import { intoLog } from "../broker/Moving.ts"
import type { Disk } from "../disk/Disk.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { type LogDurability, patternOf } from "../options/Durability.ts"
import * as Options from "../options/NsqdOptions.ts"
import * as DiskStorage from "../storage/DiskStorage.ts"
import { Storage } from "../storage/Storage.ts"
import { checkIntact, DataError, DataErrorReason, failure, noDirectory } from "./DataError.ts"
import { type Holding, nameOf } from "./DataReport.ts"
import { verify } from "./Verification.ts"

/** The options of an import. */
export interface ImportOptions {
  readonly dataPath: string
  readonly durability: LogDurability
  /** Patterns of topics, with `*` and `?`; none for all topics. */
  readonly topics: ReadonlyArray<string>
  /** Whether damaged messages are left out; otherwise damage prevents the import. */
  readonly skipsDamage: boolean
  readonly maxMsgSize: number
  /** Of the logs, in bytes. */
  readonly segmentSize: number
  /** Free space in bytes below which nothing is written to a log; 0 for no limit. */
  readonly minFreeBytes: number
}

/** What an import has moved. */
export interface ImportResult {
  readonly dataPath: string
  /** The topics and channels that had a disk queue. */
  readonly holdings: ReadonlyArray<Holding>
}

const matcher = (patterns: ReadonlyArray<string>): Effect.Effect<(topic: string) => boolean, DataError> => {
  const wrong = patterns.find((pattern) => !/^[.a-zA-Z0-9_*?-]+$/.test(pattern))
  if (wrong !== undefined) {
    const description = `invalid --topic "${wrong}": a pattern has the characters of topic names, * and ?`
    return Effect.fail(new DataError({ reason: DataErrorReason.InvalidOption({ description }) }))
  }
  const expressions = patterns.map(patternOf)
  return Effect.succeed((topic) => expressions.length === 0 || expressions.some((expression) => expression.test(topic)))
}

/** Moves the disk queues of a topic into its log; returns whether there are any. */
const moveTopic = (
  topic: TopicName,
  { channels }: SavedTopic,
  durability: LogDurability
): Effect.Effect<boolean, StorageError, Storage> =>
  Effect.scoped(Effect.gen(function*() {
    const { hasQueue, openLog } = yield* Storage
    const names = Array.from(channels.keys()).filter((name) => isChannelName(name) && !isEphemeral(name))
    let isStored = yield* hasQueue(topic)
    for (const name of names) isStored ||= yield* hasQueue(`${topic}:${name}`)
    if (isStored) yield* intoLog(yield* openLog(topic, durability), topic, opening(names.filter(isChannelName)))
    return isStored
  }))

/**
 * Imports the disk queues of the directory, whose lock the caller holds. Each topic is moved as a whole: after a failure, the topics
 * before it have logs, and the others are as they were.
 */
export const importDirectory = Effect.fnUntraced(function*(
  { dataPath, durability, maxMsgSize, minFreeBytes, segmentSize, skipsDamage, topics }: ImportOptions
): Effect.fn.Return<ImportResult, DataError, Disk> {
  const isWanted = yield* matcher(topics)
  const report = yield* Effect.mapError(verify({ dataPath, maxMsgSize }), noDirectory)
  yield* checkIntact(report, skipsDamage)
  const moved = new Set<string>()
  const move = Effect.gen(function*() {
    const { loadMetadata } = yield* Storage
    for (const [name, saved] of topicsByName(yield* loadMetadata)) {
      if (!isTopicName(name) || isEphemeral(name) || !isWanted(name)) continue
      if (yield* moveTopic(name, saved, durability)) moved.add(name)
    }
  })
  const options = Options.layer({ dataPath, maxMsgSize, minFreeBytes, segmentSize })
  const storage = DiskStorage.layer.pipe(Layer.provide(options))
  yield* Effect.mapError(Effect.provide(move, storage), failure)
  return {
    dataPath,
    holdings: report.holdings.filter(({ isListed, storage, topic }) => storage === "queue" && isListed && moved.has(topic))
  }
})

/** Returns the result as text: a line per topic and channel, and the sum. */
export const toText = ({ dataPath, holdings }: ImportResult): string => {
  const count = new Set(holdings.map(({ topic }) => topic)).size
  return [
    ...holdings.map((holding) => `${nameOf(holding)}  messages ${holding.messages}`),
    `${dataPath} has ${count} more ${count === 1 ? "topic" : "topics"} with a log`
  ].join("\n")
}
