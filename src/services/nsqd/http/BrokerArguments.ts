/**
 * Finds the topic or channel that a request names.
 */
import { Effect } from "effect"
import type { ChannelName } from "../../../protocol/client/Names.ts"
import { topicAndChannelNames } from "../../http/Arguments.ts"
import { fail, failure, HttpFailure, type HttpResponse, internalError } from "../../http/HttpResponse.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import { Broker } from "../broker/Broker.ts"
import type { BrokerError } from "../broker/BrokerError.ts"
import type { Channel } from "../broker/Channel.ts"
import type { Topic } from "../broker/Topic.ts"

const exiting = failure(503, "EXITING")

/**
 * Returns the response to a request that the broker refuses. NSQ responds to every failed write with `EXITING`; on a full disk nsqd
 * does not exit and responds with the reason. A limit is a 403, because a retry does not help.
 */
export const refusalOf = ({ message, reason }: BrokerError): HttpResponse => {
  switch (reason._tag) {
    case "Exiting":
    case "DiskFailure":
      return exiting
    case "Draining":
      return failure(503, `DRAINING: ${message}`)
    case "DiskFull":
      return failure(503, message)
    case "Rejection":
      return failure(400, `REJECTED ${message}`)
    case "TopicFull":
      return failure(503, `TOPIC_FULL: ${message}`)
    case "RateLimit":
      return failure(429, `RATE_LIMITED: ${message}`, ["Retry-After", "1"])
    case "TopicLimit":
      return failure(403, `TOO_MANY_TOPICS: ${message}`)
    case "ChannelLimit":
      return failure(403, `TOO_MANY_CHANNELS: ${message}`)
    case "MissingTopic":
      return failure(404, "TOPIC_NOT_FOUND")
    case "MissingChannel":
      return failure(404, "CHANNEL_NOT_FOUND")
    case "ConsumerLimit":
      return failure(403, `TOO_MANY_CONSUMERS: ${message}`)
    case "NotDurable":
      return failure(400, `NOT_DURABLE: ${message}`)
    // No request has it.
    case "MetadataFailure":
      return internalError
  }
}

/** Fails with that response. */
export const refuse = (error: BrokerError): Effect.Effect<never, HttpFailure> =>
  Effect.fail(new HttpFailure({ response: refusalOf(error) }))

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
