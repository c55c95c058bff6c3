/** What a disk queue needs from its owner: options, and the work that the owner does for all its queues. */
import type { Effect } from "effect"
import type { DiskError } from "../disk/Disk.ts"

/** Options of a disk queue. Sizes are in bytes. */
export interface DiskQueueOptions {
  readonly dataPath: string
  readonly maxBytesPerFile: number
  /** Messages written and read between two syncs. */
  readonly syncEvery: number
  readonly maxMsgSize: number
}

/** What a host uses of its disk queues. */
export interface HostedQueue {
  readonly name: string
  /** Whether the queue has neither fibers nor open files nor unrecorded state. */
  readonly isAtRest: boolean
  /** Records the state without waiting for the disk or a running sync. */
  readonly saveState: Effect.Effect<void>
  /** Removes finished files and writes checksums. */
  readonly tidy: Effect.Effect<void>
  /**
   * Syncs if anything changed since the last sync, otherwise closes the files of an unused queue. Retries a failed
   * disk.
   */
  readonly syncIfDirty: Effect.Effect<void>
}

/** The services that a queue needs from its owner. */
export interface QueueHost {
  /** Sets the queue's last failure; `undefined` once it works again. */
  readonly note: (queue: string, error: DiskError | undefined) => void
  /**
   * The state differs from the recorded one: call `saveState` and `tidy` soon, and `syncIfDirty` within the sync
   * timeout.
   */
  readonly changed: (queue: HostedQueue) => void
  /** The queue is closed: no method is to be called any more. */
  readonly closed: (queue: HostedQueue) => void
  /** Whether the disk has no space for messages; freeing space then takes precedence over a small number of files. */
  readonly isFull: () => boolean
  /** Runs the queue's own work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
}
