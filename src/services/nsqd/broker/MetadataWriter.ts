/**
 * Keeps the metadata of a broker's topics and channels in its storage: nsqd.dat, and the journal of creations beside
 * it.
 */
import { Effect, type Scope, Semaphore } from "effect"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import type { NsqdMetadata } from "../../../protocol/storage/NsqdMetadata.ts"
import { version } from "../../core/Version.ts"
import { Wakeup } from "../../core/Wakeup.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Storage } from "../storage/Storage.ts"
import { retryStorage } from "./Backlog.ts"
import type { Topic } from "./Topic.ts"

/** The metadata of a broker. Until `start` nothing is recorded, because the topics come from the metadata itself. */
export interface MetadataWriter {
  /** Completes when a write that began after the call has succeeded. Logs the first failure and the recovery. */
  readonly persist: Effect.Effect<void, StorageError>
  /** Writes the metadata soon. */
  readonly persistSoon: () => void
  /** Writes the metadata soon after a change, unless it concerns an ephemeral topic or channel. */
  readonly noteChange: (name: string) => void
  /** Records a creation durably against the end of the process, unless it is ephemeral; then runs `register`. */
  readonly create: <A, R>(
    names: readonly [TopicName, ...ReadonlyArray<ChannelName>],
    register: Effect.Effect<A, StorageError, R>
  ) => Effect.Effect<A, StorageError, R>
  /** Records changes from now on, with a fiber that writes them until the Scope closes. */
  readonly start: Effect.Effect<void, never, Scope.Scope>
  readonly isStarted: () => boolean
}

/** With more topics, nsqd.dat is written less often: 50 ms apart per thousand. */
const manyTopics = 1000

/** The metadata of the topics and channels that exist at the time of a write. */
export const make = (storage: Storage["Service"], topics: () => ReadonlyArray<Topic>): MetadataWriter => {
  const persist = serialized(storage.saveMetadata(() => metadataOf(topics())))
  const changed = new Wakeup()
  let started = false

  const persistChanges = Effect.gen(function*() {
    while (true) {
      yield* changed.wait
      yield* Effect.retry(persist, retryStorage)
      const count = topics().length
      // The journal has recent creations, so a long nsqd.dat need not be rewritten for each topic.
      if (count >= manyTopics) yield* Effect.sleep(count / 20)
    }
  })

  const create = <A, R>(
    names: readonly [TopicName, ...ReadonlyArray<ChannelName>],
    register: Effect.Effect<A, StorageError, R>
  ): Effect.Effect<A, StorageError, R> => {
    if (!started || names.some(isEphemeral)) return register
    return Effect.ensuring(storage.recordCreation(names.join(":"), register), Effect.sync(changed.call))
  }

  return {
    persist,
    persistSoon: changed.call,
    noteChange: (name) => {
      if (started && !isEphemeral(name)) changed.call()
    },
    create,
    start: Effect.suspend(() => {
      started = true
      return Effect.asVoid(Effect.forkScoped(persistChanges))
    }),
    isStarted: () => started
  }
}

/** Leaves out ephemeral topics and channels. */
const metadataOf = (topics: ReadonlyArray<Topic>): NsqdMetadata => ({
  topics: topics.filter((topic) => !topic.ephemeral).map((topic) => ({
    name: topic.name,
    paused: topic.paused,
    channels: topic.channels.filter((channel) => !channel.ephemeral).map((channel) => ({
      name: channel.name,
      paused: channel.paused
    }))
  })),
  version
})

/** One write at a time: calls during a write share the next one. */
const serialized = (save: Effect.Effect<void, StorageError>): Effect.Effect<void, StorageError> => {
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
