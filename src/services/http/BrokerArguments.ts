/**
 * The topics and channels of the broker that nsqd's endpoints are about, found by their parameters.
 */
import { Effect } from "effect"
import type { ChannelName } from "../../protocol/Names.ts"
import { Broker } from "../broker/Broker.ts"
import type { Channel } from "../broker/Channel.ts"
import type { Topic } from "../broker/Topic.ts"
import { topicAndChannelNames } from "./Arguments.ts"
import { fail, type HttpFailure } from "./HttpResponse.ts"
import type { RequestTarget } from "./RequestTarget.ts"

/** An existing topic by any name, also one that no topic can have. */
export const topicNamed = (name: string): Effect.Effect<Topic, HttpFailure, Broker> =>
  Broker.use(({ findTopic }) => {
    const topic = findTopic(name)
    return topic === undefined ? Effect.fail(fail(404, "TOPIC_NOT_FOUND")) : Effect.succeed(topic)
  })

/** What channel endpoints are about: an existing topic, and a name that a channel may have. */
export const topicAndChannelName = Effect.fnUntraced(
  function*(target: RequestTarget): Effect.fn.Return<{ topic: Topic; channel: ChannelName }, HttpFailure, Broker> {
    const { channel, topic } = yield* topicAndChannelNames(target)
    return { topic: yield* topicNamed(topic), channel }
  }
)

/** An existing channel of an existing topic. */
export const existingChannel = Effect.fnUntraced(
  function*(target: RequestTarget): Effect.fn.Return<Channel, HttpFailure, Broker> {
    const { channel, topic } = yield* topicAndChannelName(target)
    return topic.channel(channel) ?? (yield* fail(404, "CHANNEL_NOT_FOUND"))
  }
)
