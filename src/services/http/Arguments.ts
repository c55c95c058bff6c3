/**
 * The parameters that topic and channel endpoints share, checked in NSQ's order with NSQ's codes. Topic endpoints of nsqd say
 * `INVALID_TOPIC` where all others say `INVALID_ARG_TOPIC`.
 */
import { Effect } from "effect"
import { type ChannelName, isChannelName, isTopicName, type TopicName } from "../../protocol/client/Names.ts"
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

/** What channel endpoints are about: names that a topic and a channel may have. */
export const topicAndChannelNames = Effect.fnUntraced(
  function*(target: RequestTarget): Effect.fn.Return<{ topic: TopicName; channel: ChannelName }, HttpFailure> {
    const topic = yield* anyTopicName(target)
    if (!isTopicName(topic)) return yield* fail(400, "INVALID_ARG_TOPIC")
    const channel = target.query?.get("channel")
    if (channel === undefined) return yield* fail(400, "MISSING_ARG_CHANNEL")
    if (!isChannelName(channel)) return yield* fail(400, "INVALID_ARG_CHANNEL")
    return { topic, channel }
  }
)
