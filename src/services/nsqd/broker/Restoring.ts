/**
 * Opens the topics and channels of the data directory at start, regardless of the limits.
 */
import { Effect } from "effect"
import { type ChannelName, isChannelName, isTopicName, type TopicName } from "../../../protocol/client/Names.ts"
import { type SavedTopic, topicsByName } from "../../../protocol/storage/NsqdMetadata.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Storage } from "../storage/Storage.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import type { Channel } from "./Channel.ts"
import { queuesAtOnce } from "./OpenChannels.ts"
import type { Topic } from "./Topic.ts"

/** Opens topics and channels that are not open yet. */
export interface Opening {
  /** `channels` are those that will be opened. */
  readonly openTopic: (name: TopicName, channels: ReadonlyArray<ChannelName>) => Effect.Effect<Topic, StorageError>
  readonly openChannel: (topic: Topic, name: ChannelName) => Effect.Effect<Channel, StorageError>
}

/**
 * Runs `work` for every item with limited concurrency. Unlike `Effect.forEach` it needs no fiber per item: opening a
 * cleanly closed queue does not wait, so that one fiber mostly opens thousands.
 */
const someAtOnce = <K, V, E>(
  items: ReadonlyMap<K, V>,
  work: (entry: readonly [K, V]) => Effect.Effect<void, E>
): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    const entries = items.entries()
    const worker: Effect.Effect<void, E> = Effect.suspend(() => {
      const next = entries.next()
      return next.done === true ? Effect.void : Effect.andThen(work(next.value), worker)
    })
    if (items.size <= 1) return worker
    const workers = Array.from({ length: Math.min(items.size, queuesAtOnce) }, () => worker)
    return Effect.all(workers, { concurrency: "unbounded", discard: true })
  })

/** Opens all topics and channels of the metadata in `storage`; skips names that are not valid in NSQ. */
export const restore = (
  { loadMetadata }: Pick<Storage["Service"], "loadMetadata">,
  { openChannel, openTopic }: Opening
): Effect.Effect<void, BrokerError> => {
  const restoreChannel = Effect.fnUntraced(function*(topic: Topic, name: string, paused: boolean) {
    if (!isChannelName(name)) return yield* Effect.logWarning(`skipping creation of invalid channel ${name}`)
    const channel = yield* openChannel(topic, name)
    if (paused) channel.pause()
  })

  /** The topic delivers nothing before all its channels exist. */
  const restoreTopic = Effect.fnUntraced(function*(name: string, { channels, paused }: SavedTopic) {
    if (!isTopicName(name)) return yield* Effect.logWarning(`skipping creation of invalid topic ${name}`)
    const topic = yield* openTopic(name, Array.from(channels.keys()).filter(isChannelName))
    if (paused) topic.pause()
    const unpaused = topic.storedChannelNames.filter((name) => !channels.has(name)).map((name) =>
      [name, false] as const
    )
    yield* someAtOnce(
      new Map([...channels, ...unpaused]),
      ([channel, paused]) => restoreChannel(topic, channel, paused)
    )
    topic.start()
  })

  return loadMetadata.pipe(
    Effect.flatMap((saved) => someAtOnce(topicsByName(saved), ([name, topic]) => restoreTopic(name, topic))),
    Effect.mapError(({ message: description }) =>
      brokerError(BrokerErrorReason.MetadataFailure({ action: "load", description }))
    )
  )
}
