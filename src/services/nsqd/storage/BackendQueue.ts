/**
 * A queue of records as topics and channels use it, whether its records are kept in files (`DiskQueue`) or in memory
 * (`MemoryBackend`).
 */
import type { Effect, Scope } from "effect"
import type { Ledger, StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { StorageError } from "../disk/StorageError.ts"

/** Consecutive whole disk records. */
export type RecordRun = StoredRecords

/** Records read from a queue, which keeps each record until it is settled in the ledger. */
export interface StoredRun extends StoredRecords {
  /** Positions are those of the records' frames. Has no effect after the queue was emptied. */
  readonly ledger: Ledger
}

/** Whole records that wait to be read, as they lie in a queue. */
export interface ViewedRun {
  /** The place of the first record. */
  readonly place: QueuePosition
  readonly bytes: Buffer
  /** The start of each record in `bytes`, and the end of the last one. */
  readonly starts: Int32Array
}

/** Reads records that wait, beside the one that takes them: nothing is taken, and the two do not wait for each other. */
export interface QueueView {
  /** Behind the last record that is stored by now. */
  readonly tail: QueuePosition
  /** Opens a reader with files of its own, until the Scope closes. */
  readonly open: Effect.Effect<ViewReader, never, Scope.Scope>
}

export interface ViewReader {
  /**
   * Reads the records from `from` on, or the next that still wait: at least one, about `maxBytes`, none from `to` on; `undefined` if
   * there are none. Unreadable records are passed over. The bytes are valid until the next read.
   */
  readonly read: (
    from: QueuePosition,
    to: QueuePosition,
    maxBytes: number
  ) => Effect.Effect<ViewedRun | undefined, StorageError>
}

/** An open queue of records. */
export interface BackendQueue {
  readonly name: string
  /** Messages written and not read yet. After a crash it is an estimate until everything has been read. */
  readonly depth: number
  /** About how many bytes the records of these messages have; `undefined` if it is not known. */
  readonly bytes?: number
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
  /**
   * The records that wait, to be looked at. Default: they cannot be looked at.
   *
   * @since 0.2.0
   */
  readonly view?: QueueView | undefined
  /** Completes when everything appended is durable. */
  readonly sync: Effect.Effect<void, StorageError>
  readonly empty: Effect.Effect<void, StorageError>
  /** Deletes the queue with its files and closes it. */
  readonly delete: Effect.Effect<void, StorageError>
}
