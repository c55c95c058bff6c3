/**
 * Where messages and metadata are kept when memory is not enough. Topics and channels know queues of records, not files:
 * `DiskStorage` keeps them in NSQ's format, `Storage.layerMemory` in memory for tests and embedding.
 */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import type { Ledger, StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { NsqdMetadata } from "../../../protocol/storage/NsqdMetadata.ts"
import type { DiskError } from "./Disk.ts"
import { MemoryBackend } from "./MemoryBackend.ts"

/** Something could not be stored or read back; the description is the operating system's. */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  description: Schema.String,
  /** The operating system's name for the failure, such as `ENOSPC`, where it is one of the disk. */
  code: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return this.description
  }

  static fromDisk({ code, message }: DiskError): StorageError {
    return new StorageError({ description: message, code })
  }

  /** Whether there is no space: the only failure that ends when consumers read. */
  get isFull(): boolean {
    return this.code === "ENOSPC" || this.code === "EDQUOT"
  }
}

/** Whole disk records lying one after another. */
export type RecordRun = StoredRecords

/** Records read from a queue, which keeps each of them until the ledger says that it is settled. */
export interface StoredRun extends StoredRecords {
  /** Positions are those of the records' frames. Has no effect after the queue was emptied. */
  readonly ledger: Ledger
}

/** A queue of records, as long as the daemon keeps it open. */
export interface BackendQueue {
  readonly name: string
  /** Messages written and not read yet. After a crash this is an estimate until everything has been read. */
  readonly depth: number
  /** Whether there is something to read. */
  readonly hasMore: boolean
  /**
   * Appends all runs in order. Completes when they are stored: handed to the operating system, and synced as the options say.
   * When it fails none of them counts as written.
   */
  readonly append: (runs: ReadonlyArray<RecordRun>) => Effect.Effect<void, StorageError>
  /** The next records in order, at least one, about `maxBytes`; `undefined` when there are none. */
  readonly read: (maxBytes: number) => Effect.Effect<StoredRun | undefined, StorageError>
  /**
   * The identities (see `RecordIdentity`) of messages that the daemon may have appended shortly before it was killed, on disk
   * for certain, whether or not they are settled. Nothing after a clean stop. To be asked before anything is appended.
   */
  readonly recent: Effect.Effect<ReadonlySet<string>, StorageError>
  readonly empty: Effect.Effect<void, StorageError>
  /** Deletes the queue and all its files; it is closed afterwards. */
  readonly delete: Effect.Effect<void, StorageError>
}

export class Storage extends Context.Service<Storage, {
  /** Opens a queue, named `topic` or `topic:channel`. Closing the Scope closes it, synced. */
  readonly openQueue: (name: string) => Effect.Effect<BackendQueue, StorageError, Scope.Scope>
  /** The topics and channels that were saved, and those whose creation was recorded since. */
  readonly loadMetadata: Effect.Effect<NsqdMetadata | undefined, StorageError>
  /** Saves the metadata at this moment. It survives a loss of power from then on. */
  readonly saveMetadata: (current: () => NsqdMetadata) => Effect.Effect<void, StorageError>
  /**
   * Records that a topic or channel, named as its queue, is created, so that `loadMetadata` knows it after the end of the
   * process, however it ends. Then runs `register`, which adds it to what `saveMetadata` is given.
   */
  readonly recordCreation: <A, E, R>(
    queue: string,
    register: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | StorageError, R>
  /** Why nothing may be published, not even what fits into memory: the disk is full. `undefined` while there is space. */
  readonly refusal: () => string | undefined
  /** The broker stops: frees what it can for the messages that are only in memory, which may use all space from now on. */
  readonly prepareStop: Effect.Effect<void>
  /** Why a queue's last operation failed, naming its file; `undefined` while all queues work. */
  readonly health: Effect.Effect<string | undefined>
}>()("effect-nsq/storage/Storage") {
  /** Keeps everything in memory, for as long as the Layer lives: queues that are closed and opened again keep their records. */
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
