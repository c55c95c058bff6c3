/**
 * The parameters that topic and channel endpoints share, checked in NSQ's order with NSQ's codes. Topic endpoints say
 * `INVALID_TOPIC` where channel endpoints say `INVALID_ARG_TOPIC`.
 */
import { Effect } from "effect"
import { type ChannelName, isChannelName, isTopicName, type TopicName } from "../../protocol/Names.ts"
import { Broker } from "../broker/Broker.ts"
import type { Channel } from "../broker/Channel.ts"
import type { Topic } from "../broker/Topic.ts"
import { fail, HttpFailure, invalidRequest } from "./HttpResponse.ts"
import type { Query, RequestTarget } from "./RequestTarget.ts"

/** All parameters, when the query is valid at all. */
export const query = ({ query }: RequestTarget): Effect.Effect<Query, HttpFailure> =>
  query === undefined ? Effect.fail(new HttpFailure({ response: invalidRequest })) : Effect.succeed(query)

/** The `topic` parameter as it is. */
export const anyTopicName = (target: RequestTarget): Effect.Effect<string, HttpFailure> =>
  Effect.flatMap(query(target), (query) => {
    const name = query.get("topic")
    return name === undefined ? Effect.fail(fail(400, "MISSING_ARG_TOPIC")) : Effect.succeed(name)
  })

/** The `topic` parameter of topic endpoints. */
export const topicName = (target: RequestTarget): Effect.Effect<TopicName, HttpFailure> =>
  Effect.filterOrFail(anyTopicName(target), isTopicName, () => fail(400, "INVALID_TOPIC"))

/** An existing topic by any name, also one that no topic can have. */
export const topicNamed = (name: string): Effect.Effect<Topic, HttpFailure, Broker> =>
  Broker.use(({ findTopic }) => {
    const topic = findTopic(name)
    return topic === undefined ? Effect.fail(fail(404, "TOPIC_NOT_FOUND")) : Effect.succeed(topic)
  })

/** What channel endpoints are about: an existing topic, and a name that a channel may have. */
export const topicAndChannelName = Effect.fnUntraced(
  function*(target: RequestTarget): Effect.fn.Return<{ topic: Topic; channel: ChannelName }, HttpFailure, Broker> {
    const topic = yield* anyTopicName(target)
    if (!isTopicName(topic)) return yield* fail(400, "INVALID_ARG_TOPIC")
    const channel = target.query?.get("channel")
    if (channel === undefined) return yield* fail(400, "MISSING_ARG_CHANNEL")
    if (!isChannelName(channel)) return yield* fail(400, "INVALID_ARG_CHANNEL")
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
