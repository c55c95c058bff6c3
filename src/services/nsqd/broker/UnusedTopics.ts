/**
 * Finds unused ephemeral topics: without a channel, and without a new message for a time. NSQ deletes an ephemeral
 * topic with its last channel but keeps one that never had a channel forever, so that clients could fill the memory
 * with them. Topics are checked periodically, so that publishing has no additional cost.
 */
import { Duration, Effect } from "effect"
import type { Time } from "../../core/Time.ts"
import type { Wakeup } from "../../core/Wakeup.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import type { Topic } from "./Topic.ts"

interface Idle {
  /** Messages that the topic had received when it was first found without a channel. */
  readonly messages: number
  /** Time of that check, in ms. */
  readonly since: number
}

export class UnusedTopics {
  private readonly lifetimeMillis: number
  private idle = new Map<Topic, Idle>()

  constructor(lifetimeMillis: number) {
    this.lifetimeMillis = lifetimeMillis
  }

  /** Interval of checks in ms: a topic is found at most a fifth of its lifetime late. */
  get interval(): number {
    return Math.max(100, this.lifetimeMillis / 10)
  }

  /**
   * Whether the last check found a topic that may become unused. An ephemeral topic never outlives its last channel.
   */
  get hasCandidates(): boolean {
    return this.idle.size > 0
  }

  /** Returns the topics that have been unused for their lifetime at the monotonic time `now`. */
  look(topics: Iterable<Topic>, now: number): ReadonlyArray<Topic> {
    const idle = new Map<Topic, Idle>()
    const unused: Array<Topic> = []
    for (const topic of topics) {
      if (!topic.ephemeral || topic.hasChannels) continue
      const before = this.idle.get(topic)
      const current = before?.messages === topic.messageCount ? before : { messages: topic.messageCount, since: now }
      idle.set(topic, current)
      if (now - current.since >= this.lifetimeMillis) unused.push(topic)
    }
    this.idle = idle
    return unused
  }

  /** Whether the topic has not been used since the last check. */
  isStillUnused(topic: Topic): boolean {
    return !topic.hasChannels && this.idle.get(topic)?.messages === topic.messageCount
  }
}

/** The part of the broker that `run` needs. */
export interface Registry {
  /** Called when an ephemeral topic is created: nothing is checked before. */
  readonly ephemeralCreated: Wakeup
  readonly topics: () => Iterable<Topic>
  /** Deletes the topic if `isStillUnused` holds while no other change of the registry is running. */
  readonly deleteUnused: (topic: Topic, isStillUnused: () => boolean) => Effect.Effect<void>
}

/** Deletes unused ephemeral topics until interrupted; does nothing with a lifetime of 0. */
export const run = (
  { ephemeralTopicLifetime }: NsqdOptions,
  { monotonicMillis }: Time,
  { deleteUnused, ephemeralCreated, topics }: Registry
): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (!Duration.isPositive(ephemeralTopicLifetime)) return
    const unused = new UnusedTopics(Duration.toMillis(ephemeralTopicLifetime))
    while (true) {
      if (!unused.hasCandidates) yield* ephemeralCreated.wait
      yield* Effect.sleep(unused.interval)
      const found = unused.look(topics(), monotonicMillis())
      if (found.length === 0) continue
      yield* Effect.logInfo(`NSQ: deleting unused ephemeral topics: ${found.length} (--ephemeral-topic-lifetime)`)
      yield* Effect.forEach(found, (topic) => deleteUnused(topic, () => unused.isStillUnused(topic)), { discard: true })
    }
  })
