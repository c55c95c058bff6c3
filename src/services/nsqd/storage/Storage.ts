/**
 * Persistent storage of messages and metadata. Topics and channels see queues of records, not files: `DiskStorage`
 * stores them in NSQ's format, `Storage.layerMemory` keeps them in memory for tests and embedding.
 */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import type { Ledger, StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { NsqdMetadata } from "../../../protocol/storage/NsqdMetadata.ts"
import type { DiskError } from "./Disk.ts"
import { MemoryBackend } from "./MemoryBackend.ts"

/** Storing or reading failed. The description is the operating system's. */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  description: Schema.String,
  /** The operating system's error code, such as `ENOSPC`, for disk failures. */
  code: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return this.description
  }

  static fromDisk({ code, message }: DiskError): StorageError {
    return new StorageError({ description: message, code })
  }

  /** Whether the disk has no space: the only failure that consumers can end by reading. */
  get isFull(): boolean {
    return this.code === "ENOSPC" || this.code === "EDQUOT"
  }
}

/** Consecutive whole disk records. */
export type RecordRun = StoredRecords

/** Records read from a queue, which keeps each record until it is settled in the ledger. */
export interface StoredRun extends StoredRecords {
  /** Positions are those of the records' frames. Has no effect after the queue was emptied. */
  readonly ledger: Ledger
}

/** An open queue of records. */
export interface BackendQueue {
  readonly name: string
  /** Messages written and not read yet. After a crash it is an estimate until everything has been read. */
  readonly depth: number
  /** Whether there is anything to read. */
  readonly hasMore: boolean
  /**
   * Appends all runs in order. Completes when they are stored: passed to the operating system, and synced according
   * to the options. On failure none of them counts as written.
   */
  readonly append: (runs: ReadonlyArray<RecordRun>) => Effect.Effect<void, StorageError>
  /** Reads the next records in order: at least one, about `maxBytes`; `undefined` at the end of the queue. */
  readonly read: (maxBytes: number) => Effect.Effect<StoredRun | undefined, StorageError>
  /**
   * The identities (see `RecordIdentity`) of the durable messages that a killed daemon may have appended last,
   * settled or not. Empty after a clean stop. Must be read before the first append.
   */
  readonly recent: Effect.Effect<ReadonlySet<string>, StorageError>
  readonly empty: Effect.Effect<void, StorageError>
  /** Deletes the queue with its files and closes it. */
  readonly delete: Effect.Effect<void, StorageError>
}

export class Storage extends Context.Service<Storage, {
  /** Opens a queue, named `topic` or `topic:channel`. Closing the Scope syncs and closes it. */
  readonly openQueue: (name: string) => Effect.Effect<BackendQueue, StorageError, Scope.Scope>
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
      loadMetadata: Effect.sync(() => saved),
      saveMetadata: (current) => Effect.sync(() => void (saved = current())),
      recordCreation: (_, register) => register,
      refusal: () => undefined,
      prepareStop: Effect.void,
      health: Effect.undefined
    }
  })
}
