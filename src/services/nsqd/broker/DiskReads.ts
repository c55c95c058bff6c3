/**
 * Reads from a disk queue that may fail. A failed read is retried without limit at growing intervals, while the owner
 * continues to deliver messages from memory.
 */
import { Effect } from "effect"
import type { StorageError } from "../disk/StorageError.ts"
import type { BackendQueue } from "../storage/BackendQueue.ts"
import type { Worker } from "./Worker.ts"

const firstDelayMillis = 50
const lastDelayMillis = 2000

export class DiskReads {
  private readonly label: string
  private readonly backend: Pick<BackendQueue, "hasMore"> | undefined
  private delayMillis = 0
  private isWaiting = false

  private readonly worker: Worker

  /** `label` is the owner's name in the log; its `worker` is called when the read should be retried. */
  constructor(label: string, backend: Pick<BackendQueue, "hasMore"> | undefined, worker: Worker) {
    this.label = label
    this.worker = worker
    this.backend = backend
  }

  /** Whether the disk has messages and may be read now. */
  get isReady(): boolean {
    return this.backend !== undefined && this.backend.hasMore && !this.isWaiting
  }

  /** Runs a read. On failure the result is `undefined`, and the worker is called when it should be retried. */
  attempt<A>(read: Effect.Effect<A, StorageError>): Effect.Effect<A | undefined> {
    return Effect.matchEffect(read, {
      onSuccess: (result) => {
        if (this.delayMillis === 0) return Effect.succeed(result)
        this.delayMillis = 0
        return Effect.as(Effect.logInfo(`${this.label}: can read from disk again`), result)
      },
      onFailure: (error) => {
        const isFirst = this.delayMillis === 0
        this.delayMillis = isFirst ? firstDelayMillis : Math.min(lastDelayMillis, 2 * this.delayMillis)
        this.isWaiting = true
        this.worker.callLater(this.delayMillis, () => {
          this.isWaiting = false
        })
        return isFirst
          ? Effect.as(
            Effect.logError(`${this.label}: failed to read from disk, retrying - ${error.message}`),
            undefined
          )
          : Effect.undefined
      }
    })
  }
}
