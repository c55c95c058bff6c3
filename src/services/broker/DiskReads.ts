/**
 * Reads from a disk queue that may fail. A read that fails is tried again, for ever and less and less often, without standing
 * in the way of what its owner can do meanwhile: messages in memory go on being delivered.
 */
import { Effect } from "effect"
import type { BackendQueue, StorageError } from "../storage/Storage.ts"

const firstDelayMillis = 50
const lastDelayMillis = 2000

export class DiskReads {
  private readonly label: string
  private readonly backend: BackendQueue | undefined
  private delayMillis = 0
  private isWaiting = false

  /** `label` is the owner's name in the log. */
  constructor(label: string, backend: BackendQueue | undefined) {
    this.label = label
    this.backend = backend
  }

  /** Whether the disk has messages and may be asked for them. */
  get isReady(): boolean {
    return this.backend !== undefined && this.backend.hasMore && !this.isWaiting
  }

  /** Runs a read. When it fails the result is undefined, and `wake` is called when it is time to try again. */
  attempt<A>(read: Effect.Effect<A, StorageError>, wake: () => void): Effect.Effect<A | undefined> {
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
        const retry = Effect.andThen(
          Effect.sleep(this.delayMillis),
          Effect.sync(() => {
            this.isWaiting = false
            wake()
          })
        )
        return Effect.forkChild(retry).pipe(
          Effect.andThen(
            isFirst
              ? Effect.logError(`${this.label}: failed to read from disk, trying again - ${error.message}`)
              : Effect.void
          ),
          Effect.as(undefined)
        )
      }
    })
  }
}
