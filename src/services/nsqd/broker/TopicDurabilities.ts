/**
 * The durability of each topic: the one that was set at run time, which the storage remembers, otherwise that of the options.
 */
import { Effect } from "effect"
import { isEphemeral } from "../../../protocol/client/Names.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Durability } from "../options/Durability.ts"
import type { Storage } from "../storage/Storage.ts"

export interface TopicDurabilities {
  readonly of: (topic: string) => Durability
  /**
   * Remembers the durability of a topic, or forgets it. Completes when that is stored; the result undoes it. The caller serializes
   * the calls.
   */
  readonly set: (
    topic: string,
    durability: Durability | undefined
  ) => Effect.Effect<Effect.Effect<void, StorageError>, StorageError>
}

/** The durabilities of the topics in `storage`; `ofOptions` is that of a topic that has no other. */
export const make = (
  { loadDurabilities, saveDurabilities }: Pick<Storage["Service"], "loadDurabilities" | "saveDurabilities">,
  ofOptions: (topic: string) => Durability
): Effect.Effect<TopicDurabilities, StorageError> =>
  Effect.map(loadDurabilities, (loaded) => {
    let current = loaded
    const replace = (changed: ReadonlyMap<string, Durability>) =>
      Effect.tap(saveDurabilities(changed), () => Effect.sync(() => void (current = changed)))
    return {
      of: (topic) => isEphemeral(topic) ? "memory" : current.get(topic) ?? ofOptions(topic),
      set: (topic, durability) =>
        Effect.suspend(() => {
          const before = current
          if (before.get(topic) === durability) return Effect.succeed(Effect.void)
          const changed = new Map(before)
          if (durability === undefined) changed.delete(topic)
          else changed.set(topic, durability)
          return Effect.as(replace(changed), replace(before))
        })
    }
  })
