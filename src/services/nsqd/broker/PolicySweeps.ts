/**
 * What is done periodically for policies (docs/policies.md): expired messages are removed from channels without a ready consumer,
 * messages older than a limit of age are looked for, and the sizes of those from before the start. Each sweep runs only while a policy
 * concerns it; that of expired messages also if some may have a time-to-live of their own.
 */
import { Effect, PubSub, type Scope } from "effect"
import type { Policy } from "../../../protocol/http/PoliciesResponse.ts"
import type { Policies } from "../policies/Policies.ts"
import type { Channel } from "./Channel.ts"
import type { HeadersSeen } from "./HeadersSeen.ts"
import type { Topic } from "./Topic.ts"

/** What the sweeps need of a topic. */
export type SweptTopic = Pick<Topic, "name" | "policy" | "channels" | "lookAtOldest" | "measure">

interface Sweep {
  /** Between the end of one run and the begin of the next. */
  readonly every: `${number} seconds`
  readonly concerns: (policy: Policy) => boolean
  /** Whether it also runs since there were messages with headers. */
  readonly ofHeaders?: boolean
  readonly of: (topic: SweptTopic) => Effect.Effect<void>
}

const removeExpired = ({ name, removeExpired, topic }: Channel): Effect.Effect<void> =>
  Effect.catch(
    removeExpired,
    ({ message }) => Effect.logWarning(`CHANNEL(${topic}:${name}): failed to look for expired messages - ${message}`)
  )

const expiry: Sweep = {
  every: "5 seconds",
  concerns: ({ on_expired, ttl }) => ttl !== undefined || on_expired !== undefined,
  ofHeaders: true,
  of: ({ channels }) => Effect.forEach(channels, removeExpired, { discard: true })
}

/** A limit of age is late by the time between two runs at most. */
const age: Sweep = {
  every: "1 seconds",
  concerns: ({ max_age }) => max_age !== undefined,
  of: ({ channels, lookAtOldest, name, policy }) => {
    for (const channel of channels) channel.lookAtAge()
    if (policy.maxAgeMillis === 0) return Effect.void
    return Effect.catch(
      lookAtOldest,
      ({ message }) => Effect.logWarning(`TOPIC(${name}): failed to look for old messages - ${message}`)
    )
  }
}

/** For limits of bytes. Only the first run of a topic reads anything. */
const sizes: Sweep = {
  every: "10 seconds",
  concerns: ({ max_bytes }) => max_bytes !== undefined,
  of: (topic) => {
    const { channels, measure, name, policy } = topic
    if (policy.maxBytes === 0 && channels.every(({ policy }) => policy.maxBytes === 0)) return Effect.void
    return Effect.andThen(
      Effect.catch(
        measure,
        ({ message }) => Effect.logWarning(`TOPIC(${name}): failed to find the size of messages - ${message}`)
      ),
      Effect.sync(() => {
        for (const channel of topic.channels) channel.wake()
      })
    )
  }
}

/** A defect in one topic does not end the sweep of all. */
const sweep = (topic: SweptTopic, of: Sweep["of"]): Effect.Effect<void> =>
  Effect.catchDefect(
    Effect.suspend(() => of(topic)),
    (defect) => Effect.logError(`TOPIC(${topic.name}): unexpected error in what policies do periodically`, defect)
  )

type PoliciesInForce = Pick<Policies["Service"], "changes" | "list">

const repeat = (
  topics: () => ReadonlyArray<SweptTopic>,
  policies: PoliciesInForce,
  headers: Pick<HeadersSeen, "any" | "wait">,
  { concerns, every, of, ofHeaders = false }: Sweep
): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function*() {
    const changes = yield* PubSub.subscribe(policies.changes)
    while (true) {
      if ((ofHeaders && headers.any) || policies.list().some(concerns)) {
        yield* Effect.forEach(topics(), (topic) => sweep(topic, of), { discard: true })
        yield* Effect.sleep(every)
      } else {
        yield* ofHeaders ? Effect.raceFirst(PubSub.take(changes), headers.wait) : PubSub.take(changes)
      }
    }
  })

/** Forks the sweeps into the Scope. */
export const fork = (
  topics: () => ReadonlyArray<SweptTopic>,
  policies: PoliciesInForce,
  headers: Pick<HeadersSeen, "any" | "wait">
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.forEach([expiry, age, sizes], (kind) => Effect.forkScoped(repeat(topics, policies, headers, kind)), {
    discard: true
  })
