/**
 * The reads of a log, for its channels: from the newest messages in memory, or from the segments. One read of the files runs at a
 * time, so that channels at the same place share what it fetches. Damaged messages are reported and passed over.
 *
 * Hot path: `next` is called for every batch that a channel delivers.
 */
import { Effect, Semaphore } from "effect"
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { DiskError } from "../disk/Disk.ts"
import { StorageError } from "../disk/StorageError.ts"
import type { ChannelLog } from "./ChannelLog.ts"
import type { LogBatch } from "./LogBatch.ts"
import type { LogHealth } from "./LogHealth.ts"
import type { LogTail } from "./LogTail.ts"
import type { Damage, SegmentReader } from "./SegmentReader.ts"

/** What reads need from their log. */
export interface ReadingHost {
  /** The log's name in log lines. */
  readonly label: string
  readonly health: LogHealth
  /** All channels may read the messages below this sequence. */
  readonly handed: () => number
  /** The sequence after the last committed message. */
  readonly end: () => number
  /** The messages from `from` up to, but not including, `to` cannot be read. */
  readonly lost: (from: number, to: number) => void
}

/** Receives what a channel has taken, in the same step: what is dropped or moved then is dropped or moved before or behind it. */
export type Taken = (batch: MessageBatch) => void

export class LogReading {
  private readonly tail: LogTail
  private readonly reader: SegmentReader
  private readonly host: ReadingHost
  private readonly permit = Semaphore.makeUnsafe(1)

  constructor(tail: LogTail, reader: SegmentReader, host: ReadingHost) {
    this.tail = tail
    this.reader = reader
    this.host = host
  }

  /** Keeps new messages in memory, and drops those below `read`, which all channels have read. */
  keep(batches: ReadonlyArray<LogBatch>, read: number): void {
    this.tail.trim(read)
    for (const batch of batches) this.tail.push(batch)
  }

  /** The channel's next messages, if they are in memory. */
  next(channel: ChannelLog): MessageBatch | undefined {
    for (let wanted = channel.wanted; wanted !== undefined; wanted = channel.wanted) {
      const batch = this.tail.find(wanted) ?? this.reader.find(wanted)
      if (batch === undefined) return undefined
      const taken = channel.take(batch)
      if (taken !== undefined) return taken
    }
    return undefined
  }

  /** See `TopicLog.read`. */
  read(channel: ChannelLog, taken: Taken = () => {}): Effect.Effect<MessageBatch | undefined, StorageError> {
    return Effect.matchEffect(this.permit.withPermit(this.readFiles(channel, taken)), {
      onSuccess: (batch) => {
        this.host.health.readWorks(channel.name)
        return Effect.succeed(batch)
      },
      onFailure: (cause) => {
        const error = StorageError.fromDisk(cause)
        this.host.health.readFails(channel.name, error)
        return Effect.fail(error)
      }
    })
  }

  private readFiles(channel: ChannelLog, taken: Taken): Effect.Effect<MessageBatch | undefined, DiskError> {
    return Effect.gen({ self: this }, function*() {
      for (;;) {
        const ready = this.next(channel)
        if (ready !== undefined) {
          taken(ready)
          return ready
        }
        const { wanted } = channel
        if (wanted === undefined) return undefined
        const found = yield* this.reader.read(wanted, this.host.handed())
        if (found._tag === "Damage") {
          yield* this.pass(found)
          continue
        }
        // While this was read, an earlier message may have been returned, or everything dropped.
        const { wanted: still } = channel
        if (still === undefined || still < found.first || still >= found.end) continue
        const batch = channel.take(found)
        if (batch === undefined) continue
        taken(batch)
        return batch
      }
    })
  }

  /** See `LogHistory.readHeld`. */
  readHeld(from: number): Effect.Effect<LogBatch | undefined, StorageError> {
    return this.permit.withPermit(Effect.gen({ self: this }, function*() {
      for (let at = from; at < this.host.end();) {
        const found = this.tail.find(at) ?? (yield* this.reader.read(at, this.host.end()))
        if (found._tag === "LogBatch") return found
        yield* this.pass(found)
        at = found.to
      }
      return undefined
    })).pipe(Effect.mapError(StorageError.fromDisk))
  }

  /** Reports messages that cannot be read, and counts them as lost. */
  private pass({ description, from, to }: Damage): Effect.Effect<void> {
    return Effect.andThen(
      Effect.logError(`${this.host.label}: ${description}; messages lost: ${to - from}`),
      Effect.sync(() => this.host.lost(from, to))
    )
  }

  /** Runs `work` while nothing is read from the files. */
  alone<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.permit.withPermit(work)
  }

  /** Closes the file that was read last. Runs in `alone`. */
  get closeFile(): Effect.Effect<void> {
    return this.reader.close
  }

  /** Releases what is in memory, and closes the file. Runs in `alone`. */
  get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.tail.clear()
      this.reader.clear()
      return this.reader.close
    })
  }
}
