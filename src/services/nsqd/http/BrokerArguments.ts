/**
 * Finds the topic or channel that a request names.
 */
import { Effect } from "effect"
import type { ChannelName } from "../../../protocol/client/Names.ts"
import { topicAndChannelNames } from "../../http/Arguments.ts"
import { fail, failure, HttpFailure, type HttpResponse } from "../../http/HttpResponse.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import { Broker } from "../broker/Broker.ts"
import type { LimitReached } from "../broker/BrokerError.ts"
import type { Channel } from "../broker/Channel.ts"
import type { Topic } from "../broker/Topic.ts"

/** The response to a request that would exceed a limit of topics or channels: 403, because a retry does not help. */
export const limitReached = (error: LimitReached): HttpResponse =>
  failure(403, `${error.topic === undefined ? "TOO_MANY_TOPICS" : "TOO_MANY_CHANNELS"}: ${error.message}`)

/** Fails with that response. */
export const refuse = (error: LimitReached): Effect.Effect<never, HttpFailure> =>
  Effect.fail(new HttpFailure({ response: limitReached(error) }))

/** Returns an existing topic. Names that are not valid are not found. */
export const topicNamed = (name: string): Effect.Effect<Topic, HttpFailure, Broker> =>
  Broker.use(({ findTopic }) => {
    const topic = findTopic(name)
    return topic === undefined ? Effect.fail(fail(404, "TOPIC_NOT_FOUND")) : Effect.succeed(topic)
  })

/** Returns the existing topic and the valid channel name of a `/channel/*` request. */
export const topicAndChannelName = Effect.fnUntraced(
  function*(target: RequestTarget): Effect.fn.Return<{ topic: Topic; channel: ChannelName }, HttpFailure, Broker> {
    const { channel, topic } = yield* topicAndChannelNames(target)
    return { topic: yield* topicNamed(topic), channel }
  }
)

/** Returns an existing channel of an existing topic. */
export const existingChannel = Effect.fnUntraced(
  function*(target: RequestTarget): Effect.fn.Return<Channel, HttpFailure, Broker> {
    const { channel, topic } = yield* topicAndChannelName(target)
    return topic.channel(channel) ?? (yield* fail(404, "CHANNEL_NOT_FOUND"))
  }
)
