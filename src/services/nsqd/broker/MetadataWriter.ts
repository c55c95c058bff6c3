/**
 * Writes nsqd.dat for the broker, one write at a time. Requests during a write share the next one.
 */
import { Effect, Semaphore } from "effect"
import type { NsqdMetadata } from "../../../protocol/storage/NsqdMetadata.ts"
import type { StorageError } from "../storage/BackendQueue.ts"
import type { Topic } from "./Topic.ts"

/** The metadata of these topics, without ephemeral topics and channels. */
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

/** Completes when a write that began after the call has succeeded. Logs the first failure and the recovery. */
export const make = (save: Effect.Effect<void, StorageError>): Effect.Effect<void, StorageError> => {
  const saving = Semaphore.makeUnsafe(1)
  /** Number of started writes. */
  let begun = 0
  /** Number of the last write that succeeded. */
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
      return Effect.logInfo("NSQ: metadata can be persisted again")
    })
  )
}
