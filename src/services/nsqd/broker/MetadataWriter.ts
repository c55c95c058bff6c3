/**
 * Writes nsqd.dat for the broker: one writing at a time, and those who wait for one while another is under way share the next.
 */
import { Effect, Semaphore } from "effect"
import type { NsqdMetadata } from "../../../protocol/storage/NsqdMetadata.ts"
import type { StorageError } from "../storage/Storage.ts"
import type { Topic } from "./Topic.ts"

/** What is written of these topics: everything that is not ephemeral. */
export const metadataOf = (topics: Iterable<Topic>, version: string): NsqdMetadata => ({
  topics: Array.from(topics).filter((topic) => !topic.ephemeral).map((topic) => ({
    name: topic.name,
    paused: topic.paused,
    channels: topic.channels.filter((channel) => !channel.ephemeral).map((channel) => ({
      name: channel.name,
      paused: channel.paused
    }))
  })),
  version
})

/** Completes once a writing that began after the call has succeeded. The first failure and the recovery are logged. */
export const make = (save: Effect.Effect<void, StorageError>): Effect.Effect<void, StorageError> => {
  const saving = Semaphore.makeUnsafe(1)
  /** Writings that have begun. */
  let begun = 0
  /** How many had begun with the last one that succeeded. */
  let succeeded = 0
  let isFailing = false

  const write = Effect.suspend(() => {
    const number = ++begun
    return Effect.tap(save, () => Effect.sync(() => void (succeeded = number)))
  })

  return Effect.suspend(() => {
    const before = begun
    return saving.withPermit(Effect.suspend(() => succeeded > before ? Effect.void : write))
  }).pipe(
    Effect.withSpan("Broker.persist"),
    Effect.tapError((error) => {
      if (isFailing) return Effect.void
      isFailing = true
      return Effect.logError(`failed to persist metadata - ${error.message}`)
    }),
    Effect.tap(() => {
      if (!isFailing) return Effect.void
      isFailing = false
      return Effect.logInfo("NSQ: metadata is persisted again")
    })
  )
}
