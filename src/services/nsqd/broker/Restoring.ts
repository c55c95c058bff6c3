/**
 * Opens at start what the data directory says existed, whatever the limits of topics and channels are now.
 */
import { Effect } from "effect"
import { type ChannelName, isChannelName, isTopicName, type TopicName } from "../../../protocol/client/Names.ts"
import { type SavedTopic, topicsByName } from "../../../protocol/storage/NsqdMetadata.ts"
import type { Storage, StorageError } from "../storage/Storage.ts"
import { MetadataError } from "./BrokerError.ts"
import type { Channel } from "./Channel.ts"
import { queuesAtOnce, type Topic } from "./Topic.ts"

/** How topics and channels are opened, each of which is not open yet. */
export interface Opening {
  readonly openTopic: (name: TopicName) => Effect.Effect<Topic, StorageError>
  readonly openChannel: (topic: Topic, name: ChannelName) => Effect.Effect<Channel, StorageError>
}

/** Opens all topics and channels of the metadata that `storage` has; names that NSQ does not allow are left out. */
export const restore = (
  { loadMetadata }: Pick<Storage["Service"], "loadMetadata">,
  { openChannel, openTopic }: Opening
): Effect.Effect<void, MetadataError> => {
  const restoreChannel = Effect.fnUntraced(function*(topic: Topic, name: string, paused: boolean) {
    if (!isChannelName(name)) return yield* Effect.logWarning(`skipping creation of invalid channel ${name}`)
    const channel = yield* openChannel(topic, name)
    if (paused) channel.pause()
  })

  /** The topic hands nothing out before all its channels exist. */
  const restoreTopic = Effect.fnUntraced(function*(name: string, { channels, paused }: SavedTopic) {
    if (!isTopicName(name)) return yield* Effect.logWarning(`skipping creation of invalid topic ${name}`)
    const topic = yield* openTopic(name)
    if (paused) topic.pause()
    yield* Effect.forEach(channels, ([channel, paused]) => restoreChannel(topic, channel, paused), {
      concurrency: queuesAtOnce,
      discard: true
    })
    topic.start()
  })

  return loadMetadata.pipe(
    Effect.flatMap((saved) =>
      Effect.forEach(topicsByName(saved), ([name, topic]) => restoreTopic(name, topic), {
        concurrency: queuesAtOnce,
        discard: true
      })
    ),
    Effect.mapError(({ message }) => new MetadataError({ action: "load", reason: message }))
  )
}
