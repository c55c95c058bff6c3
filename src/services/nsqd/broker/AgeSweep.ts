/**
 * Looks for messages that are older than a limit of age (docs/policies.md#limits). It runs only while a policy has `max_age`.
 */
import { Effect, PubSub, type Scope } from "effect"
import type { Policies } from "../policies/Policies.ts"
import type { Topic } from "./Topic.ts"

/** Between two looks: a limit is late by this time at most. */
const lookEvery = "1 second"

/** Looks for messages of the topic and of its channels that are older than a limit of age. */
const look = ({ channels, lookAtOldest, name, policy }: Topic): Effect.Effect<void> => {
  for (const channel of channels) channel.lookAtAge()
  if (policy.maxAgeMillis === 0) return Effect.void
  return Effect.catch(
    lookAtOldest,
    ({ message }) => Effect.logWarning(`TOPIC(${name}): failed to look for old messages - ${message}`)
  )
}

/** Looks until the Scope closes; never completes. */
export const run = (
  topics: () => ReadonlyArray<Topic>,
  policies: Pick<Policies["Service"], "changes" | "list">
): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function*() {
    const changes = yield* PubSub.subscribe(policies.changes)
    while (true) {
      if (policies.list().some(({ max_age: age }) => age !== undefined)) {
        yield* Effect.forEach(topics(), look, { discard: true })
        yield* Effect.sleep(lookEvery)
      } else {
        yield* PubSub.take(changes)
      }
    }
  })
