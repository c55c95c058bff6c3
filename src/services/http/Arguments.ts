/**
 * The parameters of topic and channel endpoints (docs/protocol/http.md#topics-and-channels), checked in NSQ's order with NSQ's
 * codes. Topic endpoints of nsqd return `INVALID_TOPIC` where all others return `INVALID_ARG_TOPIC`.
 */
import { Effect } from "effect"
import { type ChannelName, isChannelName, isTopicName, type TopicName } from "../../protocol/client/Names.ts"
import { fail, HttpFailure, invalidRequest } from "./HttpResponse.ts"
import type { Query, RequestTarget } from "./RequestTarget.ts"

/** Returns all parameters; fails with `INVALID_REQUEST` if the query is not valid. */
export const query = ({ query }: RequestTarget): Effect.Effect<Query, HttpFailure> =>
  query === undefined ? Effect.fail(new HttpFailure({ response: invalidRequest })) : Effect.succeed(query)

/** Returns the `topic` parameter, without checking the name. */
export const anyTopicName = (target: RequestTarget): Effect.Effect<string, HttpFailure> =>
  Effect.flatMap(query(target), (query) => {
    const name = query.get("topic")
    return name === undefined ? Effect.fail(fail(400, "MISSING_ARG_TOPIC")) : Effect.succeed(name)
  })

/** Returns the `topic` parameter of topic endpoints; fails if the name is not valid. */
export const topicName = (target: RequestTarget): Effect.Effect<TopicName, HttpFailure> =>
  Effect.filterOrFail(anyTopicName(target), isTopicName, () => fail(400, "INVALID_TOPIC"))

/** Returns the `topic` and `channel` parameters of channel endpoints; fails if a name is not valid. */
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
