/**
 * Where messages and metadata are kept when memory is not enough. Topics and channels know queues of records, not files:
 * `DiskStorage` keeps them in NSQ's format, `Storage.layerMemory` in memory for tests and embedding.
 */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import type { StoredRecords } from "../../protocol/MessageBatch.ts"
import type { NsqdMetadata } from "../../protocol/NsqdMetadata.ts"
import { MemoryBackend } from "./MemoryBackend.ts"

/** Something could not be stored or read back; the description is the operating system's. */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  description: Schema.String
}) {
  override get message(): string {
    return this.description
  }
}

/** Whole disk records lying one after another. */
export type RecordRun = StoredRecords

/** Records read from a queue, which has not forgotten them yet: `settle` says how many have been dealt with. */
export type StoredRun = StoredRecords

/** A queue of records, as long as the daemon keeps it open. */
export interface BackendQueue {
  readonly name: string
  /** Messages written and not read yet. */
  readonly depth: number
  /**
   * Appends all runs in order. Completes when they are stored: handed to the operating system, and synced as the options say.
   * When it fails none of them counts as written.
   */
  readonly append: (runs: ReadonlyArray<RecordRun>) => Effect.Effect<void, StorageError>
  /** The next records in order, at least one, about `maxBytes`; `undefined` when there are none. */
  readonly read: (maxBytes: number) => Effect.Effect<StoredRun | undefined, StorageError>
  /**
   * `count` more messages of a run are finished or written elsewhere. Once all of a run and of the runs before it are, the
   * queue forgets them. Ignored for runs from before the queue was emptied.
   */
  readonly settle: (run: StoredRun, count: number) => void
  /** Gives back the last `count` messages of the run that was read last, which start at byte `start` of it. */
  readonly unread: (run: StoredRun, start: number, count: number) => void
  readonly empty: Effect.Effect<void, StorageError>
  /** Deletes the queue and all its files; it is closed afterwards. */
  readonly delete: Effect.Effect<void, StorageError>
}

export class Storage extends Context.Service<Storage, {
  /** Opens a queue, named `topic` or `topic:channel`. Closing the Scope closes it, synced. */
  readonly openQueue: (name: string) => Effect.Effect<BackendQueue, StorageError, Scope.Scope>
  readonly loadMetadata: Effect.Effect<NsqdMetadata | undefined, StorageError>
  readonly saveMetadata: (metadata: NsqdMetadata) => Effect.Effect<void, StorageError>
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
      saveMetadata: (metadata) => Effect.sync(() => void (saved = metadata)),
      health: Effect.undefined
    }
  })
}
