/**
 * Reads from a disk queue that may fail. A read that fails is tried again, for ever and less and less often, without standing
 * in the way of what its owner can do meanwhile: messages in memory go on being delivered.
 */
import { Effect } from "effect"
import type { BackendQueue, StorageError } from "../storage/Storage.ts"
import type { Worker } from "./Worker.ts"

const firstDelayMillis = 50
const lastDelayMillis = 2000

export class DiskReads {
  private readonly label: string
  private readonly backend: BackendQueue | undefined
  private delayMillis = 0
  private isWaiting = false

  private readonly worker: Worker

  /** `label` is the owner's name in the log; its `worker` is called when it is time to try again. */
  constructor(label: string, backend: BackendQueue | undefined, worker: Worker) {
    this.label = label
    this.worker = worker
    this.backend = backend
  }

  /** Whether the disk has messages and may be asked for them. */
  get isReady(): boolean {
    return this.backend !== undefined && this.backend.hasMore && !this.isWaiting
  }

  /** Runs a read. When it fails the result is undefined, and the worker is called when it is time to try again. */
  attempt<A>(read: Effect.Effect<A, StorageError>): Effect.Effect<A | undefined> {
    return Effect.matchEffect(read, {
      onSuccess: (result) => {
        if (this.delayMillis === 0) return Effect.succeed(result)
        this.delayMillis = 0
        return Effect.as(Effect.logInfo(`${this.label}: reads from disk again`), result)
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
            Effect.logError(`${this.label}: failed to read from disk, trying again - ${error.message}`),
            undefined
          )
          : Effect.undefined
      }
    })
  }
}
