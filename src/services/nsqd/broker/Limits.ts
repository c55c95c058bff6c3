/**
 * How many topics, and channels of one topic, may be created. What the data directory holds is not subject to it: the broker
 * opens all of that at start, and creates nothing more until there is room.
 */
import { Effect } from "effect"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { LimitReached } from "./BrokerError.ts"
import type { Topic } from "./Topic.ts"

export interface Limits {
  /** Fails when there is no room for one more topic besides so many. */
  readonly oneMoreTopic: (topics: number) => Effect.Effect<void, LimitReached>
  /** Fails when there is no room for one more channel of the topic. */
  readonly oneMoreChannel: (topic: Topic) => Effect.Effect<void, LimitReached>
}

/** The limits of the options; 0 is for none. The first refusal since there was room is logged as a warning. */
export const make = ({ maxChannelsPerTopic, maxTopics }: NsqdOptions): Limits => {
  /** Topics whose last request was refused, and `refusing` itself for the limit of topics. */
  const refusing = new WeakSet<object>()

  const check = (subject: object, count: number, max: number, topic: string | undefined) =>
    Effect.suspend(() => {
      if (max <= 0 || count < max) {
        refusing.delete(subject)
        return Effect.void
      }
      const error = new LimitReached({ topic, max })
      if (refusing.has(subject)) return Effect.fail(error)
      refusing.add(subject)
      return Effect.andThen(Effect.logWarning(`NSQ: ${error.message}, refusing more`), Effect.fail(error))
    })

  return {
    oneMoreTopic: (topics) => check(refusing, topics, maxTopics, undefined),
    oneMoreChannel: (topic) => check(topic, topic.channels.length, maxChannelsPerTopic, topic.name)
  }
}
