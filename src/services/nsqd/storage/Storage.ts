/**
 * Persistent storage of messages and metadata. Topics and channels see queues of records, not files: `DiskStorage`
 * stores them in NSQ's format, `Storage.layerMemory` keeps them in memory for tests and embedding.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { Policy } from "../../../protocol/http/PoliciesResponse.ts"
import type { NsqdMetadata } from "../../../protocol/storage/NsqdMetadata.ts"
import { StorageError, StorageErrorReason } from "../disk/StorageError.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { Durability, LogDurability } from "../options/Durability.ts"
import type { BackendQueue } from "./BackendQueue.ts"
import { MemoryBackend } from "./MemoryBackend.ts"

/**
 * Where a broker keeps messages that do not fit into memory, and its metadata. `DiskStorage.layer` keeps them in NSQ's files,
 * `Storage.layerMemory` as long as the process runs.
 *
 * @since 0.1.0
 * @category services
 */
export class Storage extends Context.Service<Storage, {
  /** Opens a queue, named `topic` or `topic:channel`. Closing the Scope syncs and closes it. */
  readonly openQueue: (name: string) => Effect.Effect<BackendQueue, StorageError, Scope.Scope>
  /**
   * Opens the log of a durable topic. Closing the Scope stores everything and closes it. Fails if the storage has no disk.
   */
  readonly openLog: (topic: string, durability: LogDurability) => Effect.Effect<TopicLog, StorageError, Scope.Scope>
  /**
   * Whether `openLog` can work. Default: false.
   *
   * @since 0.2.0
   */
  readonly hasLogs?: boolean
  /** Whether there is a queue of this name, open or not. */
  readonly hasQueue: (name: string) => Effect.Effect<boolean, StorageError>
  /** Whether the topic has a log, open or not. */
  readonly hasLog: (topic: string) => Effect.Effect<boolean, StorageError>
  /** The durabilities of topics that were set at run time. */
  readonly loadDurabilities: Effect.Effect<ReadonlyMap<string, Durability>, StorageError>
  /** Replaces them durably. */
  readonly saveDurabilities: (durabilities: ReadonlyMap<string, Durability>) => Effect.Effect<void, StorageError>
  /** The policies that were set at run time, in the order in which they were set. */
  readonly loadPolicies: Effect.Effect<ReadonlyArray<Policy>, StorageError>
  /** Replaces them durably. */
  readonly savePolicies: (policies: ReadonlyArray<Policy>) => Effect.Effect<void, StorageError>
  /** The saved topics and channels, and those whose creation was recorded since. */
  readonly loadMetadata: Effect.Effect<NsqdMetadata | undefined, StorageError>
  /** Saves the current metadata durably. */
  readonly saveMetadata: (current: () => NsqdMetadata) => Effect.Effect<void, StorageError>
  /**
   * Records the creation of a topic or channel, named like its queue, so that `loadMetadata` includes it even after a
   * kill. Then runs `register`, which adds it to the metadata that `saveMetadata` saves.
   */
  readonly recordCreation: <A, E, R>(
    queue: string,
    register: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | StorageError, R>
  /**
   * The reason why publishing is refused, even if memory has room: the disk is full. `undefined` while there is
   * space.
   */
  readonly refusal: () => string | undefined
  /** Prepares the shutdown: frees space for the messages in memory, which may use all of the disk from now on. */
  readonly prepareStop: Effect.Effect<void>
  /** The reason of a queue's failure, with the name of its file; `undefined` while all queues work. */
  readonly health: Effect.Effect<string | undefined>
}>()("effect-nsq/storage/Storage") {
  /** Keeps everything in memory while the Layer lives: queues keep their records when closed and reopened. */
  static readonly layerMemory: Layer.Layer<Storage> = Layer.sync(Storage, () => {
    const queues = new Map<string, MemoryBackend>()
    let saved: NsqdMetadata | undefined
    let durabilities: ReadonlyMap<string, Durability> = new Map()
    let policies: ReadonlyArray<Policy> = []
    return {
      openQueue: (name) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const queue = queues.get(name) ?? new MemoryBackend(name)
            queues.set(name, queue)
            return queue
          }),
          (queue) => Effect.sync(() => queue.reopen())
        ),
      openLog: (topic) =>
        Effect.fail(
          new StorageError({
            reason: StorageErrorReason.NoDisk({ description: `cannot open the log of topic "${topic}": no disk` })
          })
        ),
      hasQueue: (name) => Effect.sync(() => queues.has(name)),
      hasLog: () => Effect.succeed(false),
      loadDurabilities: Effect.sync(() => durabilities),
      saveDurabilities: (changed) => Effect.sync(() => void (durabilities = changed)),
      loadPolicies: Effect.sync(() => policies),
      savePolicies: (changed) => Effect.sync(() => void (policies = changed)),
      loadMetadata: Effect.sync(() => saved),
      saveMetadata: (current) => Effect.sync(() => void (saved = current())),
      recordCreation: (_, register) => register,
      refusal: () => undefined,
      prepareStop: Effect.void,
      health: Effect.undefined
    }
  })
}
