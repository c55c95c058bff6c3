/**
 * Records the changes of a log's channels: those of all channels a few milliseconds later in one write, or at once if a response
 * waits for them. After a failed write the whole state is recorded, as soon as the disk works again.
 *
 * The whole state can have millions of messages. It is encoded and written in parts, between which changes are recorded.
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

/** More than a message has in a checkpoint. */
const bytesPerMessage = 128

/** What a recorder needs from the log. */
export interface RecorderHost {
  /** Runs work in the background. */
  readonly fork: (work: Effect.Effect<void>) => void
  /** Encodes the whole state in steps of at most `most` messages, between which it may change. */
  readonly encode: (out: LogStateEncoder, most: number) => Generator<void, void>
  /** Called before each write; may add changes. The result runs when they are durable, and reports its own failures. */
  readonly tidy: () => Effect.Effect<void> | undefined
  /** The state could not be recorded. */
  readonly failed: (error: DiskError) => Effect.Effect<void>
  /** The state is recorded again after a failure. */
  readonly recovered: Effect.Effect<void>
}

/** A checkpoint that is being written. */
interface Checkpoint {
  readonly out: LogStateEncoder
  readonly steps: Generator<void, void>
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
  private checkpoint: Checkpoint | undefined
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
              // While it failed, changes scheduled nothing.
              if (this.dirty.size > 0) this.note()
              return Effect.andThen(recovered, tidy ?? Effect.void)
            }),
          onFailure: (error) => Effect.andThen(this.fails(error), Effect.fail(error))
        })
      )
    })
  }

  private fails(error: DiskError): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isFailing = true
      this.retryLater()
      return this.host.failed(error)
    })
  }

  private take(): Effect.Effect<void, DiskError> {
    if (this.file.needsCheckpoint) return this.beginCheckpoint()
    const changes = this.takeChanges()
    return changes.length > 0 ? this.file.append(changes) : Effect.void
  }

  private takeChanges(): Buffer {
    for (const channel of this.dirty) channel.takeChanges(this.changes)
    this.dirty.clear()
    const changes = Buffer.from(this.changes.encoded)
    this.changes.clear()
    return changes
  }

  private beginCheckpoint(): Effect.Effect<void, DiskError> {
    this.checkpoint?.steps.return()
    const { partBytes } = this.file
    const out = new LogStateEncoder(2 * partBytes)
    const checkpoint = { out, steps: this.host.encode(out, Math.ceil(partBytes / bytesPerMessage)) }
    this.checkpoint = checkpoint
    const { changes, isLast } = this.encodePart(checkpoint)
    if (isLast) return this.file.begin(out.encoded.subarray(changes), true)
    // If the files before have all changes before those in the part, nothing has to wait for the other parts.
    const others = this.file.isWhole
      ? Effect.sync(() => this.host.fork(this.writeParts(checkpoint)))
      : this.writeAll(checkpoint)
    return Effect.andThen(this.file.begin(out.encoded, false), others)
  }

  /**
   * Encodes the next part of a checkpoint, with the changes before it: a crash must not leave a newer state of the channels than
   * of the topic. Returns whether it is the last part, and the bytes of the changes.
   */
  private encodePart({ out, steps }: Checkpoint): { readonly changes: number; readonly isLast: boolean } {
    out.clear()
    out.append(this.takeChanges())
    const changes = out.size
    while (out.size - changes < this.file.partBytes) {
      if (steps.next().done === true) return { changes, isLast: true }
    }
    return { changes, isLast: false }
  }

  /** Encodes and writes the next part of a checkpoint; returns whether more follow. */
  private writePart(checkpoint: Checkpoint): Effect.Effect<boolean, DiskError> {
    return Effect.suspend(() => {
      if (this.isClosed || this.checkpoint !== checkpoint || !this.file.isWritingCheckpoint) {
        return Effect.succeed(false)
      }
      const { isLast } = this.encodePart(checkpoint)
      return Effect.as(this.file.proceed(checkpoint.out.encoded, isLast), !isLast)
    })
  }

  private writeAll(checkpoint: Checkpoint): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      while (yield* this.writePart(checkpoint)) yield* Effect.yieldNow
    })
  }

  /** Writes the parts of a checkpoint in the background. After a failure the whole state is recorded again. */
  private writeParts(checkpoint: Checkpoint): Effect.Effect<void> {
    const part = this.permit.withPermit(Effect.catch(
      this.writePart(checkpoint),
      (error) => Effect.as(this.fails(error), false)
    ))
    return Effect.gen(function*() {
      while (yield* Effect.uninterruptible(part)) yield* Effect.yieldNow
    })
  }

  /** Completes when everything recorded is durable. After a failure the whole state is recorded. */
  get sync(): Effect.Effect<void, DiskError> {
    return this.permit.withPermit(
      Effect.onError(Effect.suspend(() => this.file.sync), () => Effect.sync(() => this.note()))
    )
  }

  /**
   * Makes a change that the other changes cannot express, and completes when the whole state is recorded. After a crash before, the
   * state is the one before the change.
   */
  replace(change: Effect.Effect<void>): Effect.Effect<void, DiskError> {
    const replaced = Effect.suspend(() => Effect.andThen(Effect.andThen(this.file.fail, change), this.write))
    return this.permit.withPermit(Effect.suspend(() => this.isClosed ? Effect.void : replaced)).pipe(
      Effect.uninterruptible
    )
  }

  /** Records the whole state in a new file soon, because this one was removed. */
  get startAnew(): Effect.Effect<void> {
    return this.permit.withPermit(Effect.andThen(
      Effect.suspend(() => this.file.fail),
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
