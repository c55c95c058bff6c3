/**
 * The changes of a channel's place in its log that are not recorded yet. `StateRecorder` takes them, with those of other channels.
 *
 * Hot path: `finished` is called for every message. Messages that are finished one after another become one change.
 */
import { LogStateEncoder } from "../../../protocol/storage/LogState.ts"

/** The number of an ephemeral channel, whose state is not recorded. */
export const ephemeralNumber = 0

export class ChannelChanges {
  private readonly number: number
  private readonly note: () => boolean
  private readonly encoder = new LogStateEncoder()
  /** Whether the log knows of changes since the last call of `take`. */
  private isNoted = false
  /** Finished messages that follow each other, not encoded yet. */
  private finishedFrom = 0
  private finishedTo = 0

  /**
   * `number` is the channel's number in the state files. `note` is called after the first change since `take`, and returns whether that
   * is noted. Segments can be removed when an ephemeral channel has finished their messages, too.
   */
  constructor(number: number, note: () => boolean) {
    this.number = number
    this.note = note
  }

  private get isRecorded(): boolean {
    return this.number !== ephemeralNumber
  }

  /** The messages from `from` up to, but not including, `to` are finished. */
  finished(from: number, to: number): void {
    if (from !== this.finishedTo) this.closeFinished()
    if (this.finishedTo === 0) this.finishedFrom = from
    this.finishedTo = to
    if (!this.isNoted) this.isNoted = this.note()
  }

  /** The same of messages that need not follow those that were finished last. */
  skipped(from: number, to: number): void {
    this.closeFinished()
    if (this.isRecorded) this.encoder.finished(this.number, from, to)
    this.changed()
  }

  /** The next delivery of the message has these attempts. */
  returned(sequence: number, attempts: number): void {
    this.closeFinished()
    if (this.isRecorded) this.encoder.returned(this.number, sequence, attempts)
    this.changed()
  }

  /** The message waits until `due`, in ms since the Unix epoch. */
  deferred(sequence: number, due: number, attempts: number): void {
    this.closeFinished()
    if (this.isRecorded) this.encoder.deferred(this.number, sequence, due, attempts)
    this.changed()
  }

  /** While all deferred messages are encoded, one of them has changed its place among them. */
  deferredElsewhere(sequence: number, due: number, attempts: number): void {
    this.encoder.deferred(this.number, sequence, due, attempts)
    this.changed()
  }

  /** Forgets all changes, because the whole state has changed and is to be recorded. */
  restart(): void {
    this.encoder.clear()
    this.finishedFrom = 0
    this.finishedTo = 0
    this.changed()
  }

  private changed(): void {
    if (!this.isNoted) this.isNoted = this.note()
  }

  private closeFinished(): void {
    if (this.finishedTo === 0) return
    if (this.isRecorded) this.encoder.finished(this.number, this.finishedFrom, this.finishedTo)
    this.finishedFrom = 0
    this.finishedTo = 0
  }

  /** Moves the changes since the last call to `out`. */
  take(out: LogStateEncoder): void {
    this.isNoted = false
    this.closeFinished()
    out.append(this.encoder.encoded)
    this.encoder.clear()
  }
}
