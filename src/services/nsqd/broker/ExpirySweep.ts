/**
 * Removes messages whose time-to-live is over from channels without a ready consumer (docs/policies.md#time-to-live). It runs only while a
 * policy concerns them.
 */
import { Effect, PubSub, type Scope } from "effect"
import type { Policies } from "../policies/Policies.ts"
import type { Channel } from "./Channel.ts"
import type { Topic } from "./Topic.ts"

/** Between two looks for expired messages without a ready consumer. */
const sweepEvery = "5 seconds"

const sweep = ({ name, removeExpired, topic }: Channel): Effect.Effect<void> =>
  Effect.catch(
    removeExpired,
    (error) => Effect.logWarning(`CHANNEL(${topic}:${name}): failed to look for expired messages - ${error.message}`)
  )

/** Removes expired messages until the Scope closes; never completes. */
export const run = (
  topics: () => ReadonlyArray<Topic>,
  policies: Pick<Policies["Service"], "changes" | "list">
): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function*() {
    const changes = yield* PubSub.subscribe(policies.changes)
    while (true) {
      if (policies.list().some(({ on_expired, ttl }) => ttl !== undefined || on_expired !== undefined)) {
        yield* Effect.sleep(sweepEvery)
        const channels = topics().flatMap((topic) => topic.channels)
        yield* Effect.forEach(channels, sweep, { discard: true })
      } else {
        yield* PubSub.take(changes)
      }
    }
  })
