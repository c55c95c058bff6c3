/**
 * Finds ephemeral topics that nobody uses: without a channel, and without a new message for a time. NSQ deletes an ephemeral
 * topic together with its last channel and keeps one that never had a channel for ever, so that anybody could fill the memory
 * with them. What counts is found by looking now and then: publishing does not note when it happens.
 */
import { Duration, Effect } from "effect"
import type { Time } from "../../core/Time.ts"
import type { Wakeup } from "../../core/Wakeup.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import type { Topic } from "./Topic.ts"

interface Idle {
  /** Messages that the topic had received when it was first found without a channel. */
  readonly messages: number
  /** When that was, in ms. */
  readonly since: number
}

export class UnusedTopics {
  private readonly lifetimeMillis: number
  private idle = new Map<Topic, Idle>()

  constructor(lifetimeMillis: number) {
    this.lifetimeMillis = lifetimeMillis
  }

  /** The time between two looks, in ms: a topic is found a fifth of its lifetime late at most. */
  get interval(): number {
    return Math.max(100, this.lifetimeMillis / 10)
  }

  /** Whether the last look has found a topic that may become unused. A topic never loses its last channel and stays. */
  get hasCandidates(): boolean {
    return this.idle.size > 0
  }

  /** The topics that have been unused for their lifetime at the time `now`, which only goes forward. */
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

  /** Whether nothing has happened to a topic since the last look. */
  isStillUnused(topic: Topic): boolean {
    return !topic.hasChannels && this.idle.get(topic)?.messages === topic.messageCount
  }
}

/** What `run` needs of the broker. */
export interface Registry {
  /** Called when an ephemeral topic has been created: without one that has no channel nothing is looked at. */
  readonly created: Wakeup
  readonly topics: () => Iterable<Topic>
  /** Deletes the topic if `isStillUnused` holds once nothing else changes the registry. */
  readonly deleteUnused: (topic: Topic, isStillUnused: () => boolean) => Effect.Effect<void>
}

/** Deletes unused ephemeral topics for as long as it runs; with a lifetime of 0 there is nothing to do. */
export const run = (
  { ephemeralTopicLifetime }: NsqdOptions,
  { monotonicMillis }: Time,
  { created, deleteUnused, topics }: Registry
): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (!Duration.isPositive(ephemeralTopicLifetime)) return
    const unused = new UnusedTopics(Duration.toMillis(ephemeralTopicLifetime))
    while (true) {
      if (!unused.hasCandidates) yield* created.wait
      yield* Effect.sleep(unused.interval)
      const found = unused.look(topics(), monotonicMillis())
      if (found.length === 0) continue
      yield* Effect.logInfo(`NSQ: deleting unused ephemeral topics: ${found.length} (--ephemeral-topic-lifetime)`)
      yield* Effect.forEach(found, (topic) => deleteUnused(topic, () => unused.isStillUnused(topic)), { discard: true })
    }
  })
