/**
 * Watches the free space of the data directory for durable topics: below `--min-free-bytes` their messages are refused, before
 * the disk is full. The state of channels is still recorded, so that consumers continue and finished segments are removed.
 *
 * The space is looked up periodically, and sooner when more bytes were stored than were free above the limit.
 */
import { Effect } from "effect"
import type { Disk } from "../disk/Disk.ts"

export interface FreeSpaceOptions {
  readonly directory: string
  /** In bytes; 0 disables the limit. */
  readonly minFreeBytes: number
  /** Runs a look at the disk in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
}

export class FreeSpace {
  private readonly disk: Disk["Service"]
  private readonly options: FreeSpaceOptions
  /** Bytes that can be stored before the next look. */
  private room = Infinity
  private isLooking = false
  private shortage: string | undefined

  constructor(disk: Disk["Service"], options: FreeSpaceOptions) {
    this.disk = disk
    this.options = options
  }

  /** Why messages are refused; `undefined` while there is enough space. */
  get refusal(): string | undefined {
    return this.shortage
  }

  /** Returns why `bytes` of messages are refused, or counts them as stored. */
  admit(bytes: number): string | undefined {
    if (this.shortage !== undefined) return this.shortage
    this.room -= bytes
    if (this.room < 0 && !this.isLooking) this.options.fork(this.look)
    return undefined
  }

  /** Looks up the free space. A failure changes nothing: writes will show what is wrong. */
  get look(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { directory, minFreeBytes } = this.options
      if (minFreeBytes <= 0 || this.isLooking) return Effect.void
      this.isLooking = true
      return Effect.matchEffect(this.disk.space(directory), {
        onFailure: () => Effect.void,
        // A total of 0 is unknown.
        onSuccess: ({ free, total }) => this.note(total === 0 ? Infinity : free)
      }).pipe(Effect.ensuring(Effect.sync(() => void (this.isLooking = false))))
    })
  }

  private note(free: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { directory, minFreeBytes } = this.options
      const { shortage } = this
      this.room = free - minFreeBytes
      this.shortage = this.room < 0
        ? `${directory} has ${free} bytes of free space, less than --min-free-bytes (${minFreeBytes})`
        : undefined
      if (this.shortage === undefined) {
        return shortage === undefined
          ? Effect.void
          : Effect.logInfo("DISK: there is enough free space again, durable topics accept messages")
      }
      return shortage === undefined
        ? Effect.logError(`DISK: ${this.shortage}; durable topics refuse messages until space is available`)
        : Effect.void
    })
  }
}
