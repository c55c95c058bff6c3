/**
 * Records the changes of a log's channels: those of all channels a few milliseconds later in one write, or at once if a response
 * waits for them. After a failed write the whole state is recorded, as soon as the disk works again.
 *
 * The whole state can have millions of messages. It is encoded and written in parts, between which changes are recorded. Changes
 * wait for nothing but the write before them: syncs, the making of the next file and the removal of segments go on beside them.
 */
import { Effect, Semaphore } from "effect"
import { LogStateEncoder } from "../../../protocol/storage/LogState.ts"
import type { DiskError } from "../disk/Disk.ts"
import type { ChannelLog } from "./ChannelLog.ts"
import type { NextStateFile, StateFile } from "./StateFile.ts"

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
  /** For writes, which are short. */
  private readonly permit = Semaphore.makeUnsafe(1)
  /** For syncs, the next file and what `tidy` returns, which may take long. Taken before `permit`. */
  private readonly upkeep = Semaphore.makeUnsafe(1)
  private isFollowing = false
  private isTidying = false
  /** Whether something may have to be tidied that came while `tidy` had not ended. */
  private isUntidy = false
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
    return Effect.flatMap(this.recordChanges, (tidy) => tidy ?? Effect.void).pipe(Effect.uninterruptible)
  }

  /** Like `record`, but what follows from the changes is done in the background. */
  get recordOnly(): Effect.Effect<void, DiskError> {
    return Effect.map(this.recordChanges, (tidy) => tidy === undefined ? undefined : this.host.fork(tidy)).pipe(
      Effect.uninterruptible
    )
  }

  /** Returns what follows from the changes, if anything. */
  private get recordChanges(): Effect.Effect<Effect.Effect<void> | undefined, DiskError> {
    return this.permit.withPermit(Effect.suspend(() => this.isClosed ? Effect.undefined : this.write))
  }

  private get write(): Effect.Effect<Effect.Effect<void> | undefined, DiskError> {
    return Effect.suspend(() => {
      const { vital } = this
      if (this.isTidying) this.isUntidy = true
      const tidy = this.isTidying ? undefined : this.host.tidy()
      this.isTidying ||= tidy !== undefined
      // What changes while this is written belongs to the next write.
      return this.take().pipe(
        Effect.onError(() => Effect.sync(() => this.isTidying &&= tidy === undefined)),
        Effect.matchEffect({
          onSuccess: () =>
            Effect.suspend(() => {
              this.vitalRecorded = Math.max(this.vitalRecorded, vital)
              const recovered = this.isFailing ? this.host.recovered : Effect.void
              this.isFailing = false
              // While it failed, changes scheduled nothing.
              if (this.dirty.size > 0) this.note()
              return Effect.as(recovered, tidy === undefined ? undefined : this.tidyUp(tidy))
            }),
          onFailure: (error) => Effect.andThen(this.fails(error), Effect.fail(error))
        })
      )
    })
  }

  /** Runs what follows from changes when these are durable. */
  private tidyUp(tidy: Effect.Effect<void>): Effect.Effect<void> {
    const work = Effect.suspend(() => this.isClosed ? Effect.void : Effect.andThen(this.file.sync, tidy))
    return this.upkeep.withPermit(Effect.catch(work, (error) => this.fails(error))).pipe(
      Effect.ensuring(Effect.sync(() => {
        this.isTidying = false
        if (this.isUntidy) this.note()
        this.isUntidy = false
      })),
      Effect.uninterruptible
    )
  }

  private fails(error: DiskError): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isFailing = true
      this.retryLater()
      return this.host.failed(error)
    })
  }

  private take(): Effect.Effect<void, DiskError> {
    const { file } = this
    if (!file.isOpen && !file.canResume) return this.beginCheckpoint()
    const changes = this.takeChanges()
    const append = changes.length > 0 ? file.append(changes) : Effect.void
    if (file.canResume) return Effect.andThen(file.resume, append)
    if (file.isLong && !this.isFollowing) {
      this.isFollowing = true
      this.host.fork(this.beginNext)
    }
    return append
  }

  private takeChanges(): Buffer {
    for (const channel of this.dirty) channel.takeChanges(this.changes)
    this.dirty.clear()
    const changes = Buffer.from(this.changes.encoded)
    this.changes.clear()
    return changes
  }

  private startEncoding(): Checkpoint {
    this.checkpoint?.steps.return()
    const { partBytes } = this.file
    const out = new LogStateEncoder(2 * partBytes)
    return this.checkpoint = { out, steps: this.host.encode(out, Math.ceil(partBytes / bytesPerMessage)) }
  }

  /** Starts a file with the whole state, which nothing but this write makes durable: changes wait for it. */
  private beginCheckpoint(): Effect.Effect<void, DiskError> {
    const checkpoint = this.startEncoding()
    const { out } = checkpoint
    const { changes, isLast } = this.encodePart(checkpoint)
    if (isLast) return this.file.begin(out.encoded.subarray(changes), true)
    // If the files before have all changes before those in the part, nothing has to wait for the other parts.
    const others = this.file.isWhole
      ? Effect.sync(() => this.host.fork(this.writeParts(checkpoint)))
      : this.writeAll(checkpoint)
    return Effect.andThen(this.file.begin(out.encoded, false), others)
  }

  /** Goes on with the next file, beside the changes. After a failure the whole state is recorded again. */
  private get beginNext(): Effect.Effect<void> {
    const follow = (next: NextStateFile) =>
      this.permit.withPermit(
        Effect.flatMap(
          this.file.follow(next),
          (follows) => Effect.sync(() => follows ? this.startEncoding() : undefined)
        )
      )
    const begin = Effect.suspend(() =>
      this.isClosed ?
        Effect.undefined :
        Effect.flatMap(this.file.prepare, (next) => next === undefined ? Effect.undefined : follow(next))
    )
    return this.upkeep.withPermit(Effect.catch(begin, (error) => Effect.as(this.fails(error), undefined))).pipe(
      Effect.ensuring(Effect.sync(() => void (this.isFollowing = false))),
      Effect.uninterruptible,
      Effect.flatMap((checkpoint) => checkpoint === undefined ? Effect.void : this.writeParts(checkpoint))
    )
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

  /** Encodes and writes the next part of a checkpoint; returns whether it is the last, `undefined` if it was given up. */
  private writePart(checkpoint: Checkpoint): Effect.Effect<boolean | undefined, DiskError> {
    return Effect.suspend(() => {
      if (!this.isWriting(checkpoint)) return Effect.undefined
      const { isLast } = this.encodePart(checkpoint)
      return Effect.as(this.file.proceed(checkpoint.out.encoded, isLast), isLast)
    })
  }

  private isWriting(checkpoint: Checkpoint): boolean {
    return !this.isClosed && this.checkpoint === checkpoint && this.file.isWritingCheckpoint
  }

  private writeAll(checkpoint: Checkpoint): Effect.Effect<void, DiskError> {
    return Effect.gen({ self: this }, function*() {
      let isLast: boolean | undefined = false
      while (isLast === false) {
        isLast = yield* this.writePart(checkpoint)
        if (this.file.hasManyParts) yield* this.file.sync
        yield* Effect.yieldNow
      }
      if (isLast) yield* this.file.complete
    })
  }

  /** Writes the parts of a checkpoint in the background. After a failure the whole state is recorded again. */
  private writeParts(checkpoint: Checkpoint): Effect.Effect<void> {
    const part = this.permit.withPermit(this.writePart(checkpoint))
    const sync = (isLast: boolean): Effect.Effect<void, DiskError> =>
      this.upkeep.withPermit(Effect.suspend(() => {
        if (!this.isWriting(checkpoint)) return Effect.void
        return isLast ? this.file.complete : this.file.sync
      }))
    const step = Effect.flatMap(
      part,
      (isLast) =>
        isLast === undefined ?
          Effect.succeed(true) :
          Effect.suspend(() =>
            isLast || this.file.hasManyParts ? Effect.as(sync(isLast), isLast) : Effect.succeed(false)
          )
    ).pipe(Effect.catch((error) => Effect.as(this.fails(error), true)))
    return Effect.gen(function*() {
      while (!(yield* Effect.uninterruptible(step))) yield* Effect.yieldNow
    })
  }

  /** Completes when everything recorded is durable. After a failure the whole state is recorded. */
  get sync(): Effect.Effect<void, DiskError> {
    return this.upkeep.withPermit(
      Effect.onError(Effect.suspend(() => this.file.sync), () => Effect.sync(() => this.note()))
    )
  }

  /**
   * Makes a change that the other changes cannot express, and completes when the whole state is recorded. After a crash before, the
   * state is the one before the change.
   */
  replace(change: Effect.Effect<void>): Effect.Effect<void, DiskError> {
    const replaced = Effect.suspend(() => Effect.andThen(Effect.andThen(this.file.fail, change), this.write))
    return this.permit.withPermit(Effect.suspend(() => this.isClosed ? Effect.undefined : replaced)).pipe(
      Effect.flatMap((tidy) => tidy ?? Effect.void),
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
    return this.upkeep.withPermit(this.permit.withPermit(Effect.suspend(() => {
      this.isClosed = true
      return this.file.close
    })))
  }
}
