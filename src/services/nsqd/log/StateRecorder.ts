/**
 * Records the changes of a log's channels: those of all channels a few milliseconds later in one write, or at once if a response
 * waits for them. After a failed write the whole state is recorded, as soon as the disk works again.
 */
import { Effect, Semaphore } from "effect"
import { LogStateEncoder } from "../../../protocol/storage/LogState.ts"
import type { DiskError } from "../disk/Disk.ts"
import type { ChannelLog } from "./ChannelLog.ts"
import type { StateFile } from "./StateFile.ts"

/** Changes of channels are recorded after this time, in ms: what is finished in it may be delivered again after a kill. */
const recordMillis = 20
/** Time between attempts to record changes while the disk fails, in ms. */
const retryMillis = 500

/** What a recorder needs from the log. */
export interface RecorderHost {
  /** Runs work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** Encodes the whole state. */
  readonly encode: (out: LogStateEncoder) => void
  /** Called before each write; may add changes. The result runs when they are durable, and reports its own failures. */
  readonly tidy: () => Effect.Effect<void> | undefined
  /** The state could not be recorded. */
  readonly failed: (error: DiskError) => Effect.Effect<void>
  /** The state is recorded again after a failure. */
  readonly recovered: Effect.Effect<void>
}

export class StateRecorder {
  /** Changes of the log itself. They are recorded before those of the channels. */
  readonly changes = new LogStateEncoder()
  private readonly file: StateFile
  private readonly host: RecorderHost
  private readonly dirty = new Set<ChannelLog>()
  private readonly permit = Semaphore.makeUnsafe(1)
  private isDue = false
  private isRetryDue = false
  private isFailing = false
  private isClosed = false
  /** Numbers the changes that must be recorded before the next messages are acknowledged. */
  private vital = 0
  private vitalRecorded = 0

  constructor(file: StateFile, host: RecorderHost) {
    this.file = file
    this.host = host
  }

  /** Whether messages must not be acknowledged before `record`. */
  get isVital(): boolean {
    return this.vital > this.vitalRecorded
  }

  /** `changes` has new ones that must be recorded before the next messages are acknowledged. */
  noteVital(): void {
    this.vital++
    this.note()
  }

  /** The channel has changes. */
  noteChannel(channel: ChannelLog): void {
    this.dirty.add(channel)
    this.note()
  }

  /** The channel is deleted. */
  forget(channel: ChannelLog): void {
    this.dirty.delete(channel)
  }

  /** `changes` has new ones, which are recorded after a few milliseconds. */
  note(): void {
    if (this.isDue || this.isFailing) return
    this.isDue = true
    this.recordAfter(recordMillis, () => void (this.isDue = false))
  }

  private retryLater(): void {
    if (this.isRetryDue) return
    this.isRetryDue = true
    this.recordAfter(retryMillis, () => void (this.isRetryDue = false))
  }

  private recordAfter(millis: number, begin: () => void): void {
    if (this.isClosed) return
    this.host.fork(Effect.delay(
      Effect.suspend(() => {
        begin()
        return Effect.ignore(this.record)
      }),
      millis
    ))
  }

  /** Completes when all changes are recorded. After a failure they are recorded later. */
  get record(): Effect.Effect<void, DiskError> {
    return this.permit.withPermit(Effect.suspend(() => this.isClosed ? Effect.void : this.write)).pipe(
      Effect.uninterruptible
    )
  }

  private get write(): Effect.Effect<void, DiskError> {
    return Effect.suspend(() => {
      const { vital } = this
      const tidy = this.host.tidy()
      // What changes while this is written belongs to the next write.
      const written = this.take()
      return Effect.andThen(written, tidy === undefined ? Effect.void : this.file.sync).pipe(
        Effect.matchEffect({
          onSuccess: () =>
            Effect.suspend(() => {
              this.vitalRecorded = Math.max(this.vitalRecorded, vital)
              const recovered = this.isFailing ? this.host.recovered : Effect.void
              this.isFailing = false
              return Effect.andThen(recovered, tidy ?? Effect.void)
            }),
          onFailure: (error) =>
            Effect.suspend(() => {
              this.isFailing = true
              this.retryLater()
              return Effect.andThen(this.host.failed(error), Effect.fail(error))
            })
        })
      )
    })
  }

  private take(): Effect.Effect<void, DiskError> {
    if (this.file.needsCheckpoint) {
      this.changes.clear()
      this.dirty.clear()
      const whole = new LogStateEncoder()
      this.host.encode(whole)
      return this.file.checkpoint(whole.encoded)
    }
    for (const channel of this.dirty) channel.takeChanges(this.changes)
    this.dirty.clear()
    const changes = Buffer.from(this.changes.encoded)
    this.changes.clear()
    return changes.length > 0 ? this.file.append(changes) : Effect.void
  }

  /** Completes when everything recorded is durable. After a failure the whole state is recorded. */
  get sync(): Effect.Effect<void, DiskError> {
    return this.permit.withPermit(
      Effect.onError(Effect.suspend(() => this.file.sync), () => Effect.sync(() => this.note()))
    )
  }

  /** Records the whole state in a new file soon, because this one was removed. */
  get startAnew(): Effect.Effect<void> {
    return this.permit.withPermit(Effect.andThen(
      Effect.suspend(() => this.file.close),
      Effect.sync(() => this.note())
    ))
  }

  /** Records nothing any more, and closes the file. */
  get close(): Effect.Effect<void> {
    return this.permit.withPermit(Effect.suspend(() => {
      this.isClosed = true
      return this.file.close
    }))
  }
}
