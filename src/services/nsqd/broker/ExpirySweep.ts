/**
 * Drops messages whose time-to-live is over from channels without a ready consumer (docs/policies.md#time-to-live).
 */
import { Effect } from "effect"
import type { Channel } from "./Channel.ts"
import type { Topic } from "./Topic.ts"

/** Between two looks for expired messages without a ready consumer. */
const sweepEvery = "5 seconds"

/** Drops expired messages that no consumer is ready for; never completes. */
export const run = ({ topics }: { readonly topics: () => ReadonlyArray<Topic> }): Effect.Effect<never> => {
  const sweep = ({ dropExpired, name, topic }: Channel): Effect.Effect<void> =>
    Effect.catch(
      dropExpired,
      (error) => Effect.logWarning(`CHANNEL(${topic}:${name}): failed to look for expired messages - ${error.message}`)
    )
  const all = Effect.suspend(() =>
    Effect.forEach(
      topics().flatMap(({ channels }) => channels.filter(({ policy }) => policy.ttlMillis > 0)),
      sweep,
      { discard: true }
    )
  )
  return Effect.forever(Effect.delay(all, sweepEvery))
}
