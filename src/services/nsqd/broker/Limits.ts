/**
 * Limits for the number of topics, and of channels per topic. They do not apply to the data directory: the broker
 * opens all its topics and channels at start, and then creates none until there is room.
 */
import { Effect } from "effect"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import type { Topic } from "./Topic.ts"

/** The limits that creations are checked against. */
export interface Limits {
  /** Fails with `TopicLimit` if no topic may be created in addition to `topics` existing ones. */
  readonly oneMoreTopic: (topics: number) => Effect.Effect<void, BrokerError>
  /** Fails with `ChannelLimit` if the topic may not get another channel. */
  readonly oneMoreChannel: (topic: Topic) => Effect.Effect<void, BrokerError>
}

/** The limits of the options; 0 for no limit. Logs a warning for the first refusal after there was room. */
export const make = ({ maxChannelsPerTopic, maxTopics }: NsqdOptions): Limits => {
  /** Topics whose last request was refused; `refusing` itself stands for the limit of topics. */
  const refusing = new WeakSet<object>()

  const check = (subject: object, count: number, max: number, reason: BrokerErrorReason) =>
    Effect.suspend(() => {
      if (max <= 0 || count < max) {
        refusing.delete(subject)
        return Effect.void
      }
      const error = brokerError(reason)
      if (refusing.has(subject)) return Effect.fail(error)
      refusing.add(subject)
      return Effect.andThen(Effect.logWarning(`NSQ: ${error.message}, refusing more`), Effect.fail(error))
    })

  return {
    oneMoreTopic: (topics) => check(refusing, topics, maxTopics, BrokerErrorReason.TopicLimit({ max: maxTopics })),
    oneMoreChannel: (topic) => {
      const reason = BrokerErrorReason.ChannelLimit({ topic: topic.name, max: maxChannelsPerTopic })
      return check(topic, topic.channels.length, maxChannelsPerTopic, reason)
    }
  }
}
