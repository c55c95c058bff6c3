/**
 * A channel's place in its topic's log: which messages are finished, returned or deferred, and which is the next to be read.
 * The log keeps each message once; this state is all that a channel adds. Changes of it are recorded soon, in one write with
 * those of other channels (`StateFile`), and none of them waits for the disk.
 *
 * Hot path: `finish` is called for every message, `take` for every record.
 */
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { LogStateChanges, LogStateEncoder } from "../../../protocol/storage/LogState.ts"
import { ChannelChanges } from "./ChannelChanges.ts"
import { DeferredTable, type EachDeferred, perStep } from "./DeferredTable.ts"
import { type LogBatch, someOf, wholeOf } from "./LogBatch.ts"
import type { NewlyFinished } from "./NewlyFinished.ts"
import type { RecoveredChannel } from "./RecoveredState.ts"
import { SequenceHeap } from "./SequenceHeap.ts"
import { SequenceSet } from "./SequenceSet.ts"

/** The log of a channel. */
export interface ChannelOwner {
  /** All channels may read the messages below this sequence. */
  readonly handed: number
  /** Which messages channels have finished, for the removal of segments. */
  readonly newlyFinished: NewlyFinished
  /** The wall clock, in ms since the Unix epoch. */
  readonly wallMillis: () => number
  /** The state of the channel has changed and is to be recorded soon. Returns whether that is noted: once is enough. */
  readonly changed: (channel: ChannelLog) => boolean
}

export class ChannelLog {
  /** The channel's number in the state files. */
  readonly number: number
  readonly name: string
  private readonly owner: ChannelOwner
  private readonly finished: SequenceSet
  private readonly table: DeferredTable
  /** Attempts of the next delivery of messages that were delivered before and are not finished. */
  private readonly attempts: Map<number, number>
  /** Messages that wait again and whose content is only in the log. */
  private readonly returned = new SequenceHeap()
  /** The next message that was not read yet. */
  private next: number
  /** Below this sequence messages may be finished, deferred or have attempts though the cursor has not passed them. */
  private plainFrom: number
  /** Deferred messages that the cursor has not passed. */
  private ahead: SequenceSet | undefined
  /** Messages from `next` on, below those that are not handed over yet, that are finished or deferred. */
  private skipped = 0
  private readonly changes: ChannelChanges

  constructor(number: number, name: string, owner: ChannelOwner, state: RecoveredChannel) {
    this.number = number
    this.name = name
    this.owner = owner
    this.changes = new ChannelChanges(number, () => owner.changed(this))
    this.finished = state.finished
    this.table = state.deferred
    this.attempts = state.attempts
    this.next = state.finished.floor
    this.plainFrom = this.next
    if (state.deferred.count > 0) this.ahead = state.deferred.sequences
    state.finished.forEachRange((_, to) => this.readWithCareBelow(to))
    state.deferred.forEach((sequence) => this.readWithCareBelow(sequence + 1))
    for (const sequence of state.attempts.keys()) this.readWithCareBelow(sequence + 1)
    this.extend(this.next, owner.handed)
  }

  /** A new channel, which gets the messages from `start` on. */
  static startingAt(start: number, number: number, name: string, owner: ChannelOwner): ChannelLog {
    return new ChannelLog(number, name, owner, {
      finished: new SequenceSet(start),
      deferred: new DeferredTable(),
      attempts: new Map()
    })
  }

  private readWithCareBelow(sequence: number): void {
    this.plainFrom = Math.max(this.plainFrom, sequence)
  }

  /** The messages from `from` up to, but not including, `to` are handed over. */
  extend(from: number, to: number): void {
    const end = Math.min(to, this.plainFrom)
    for (let at = Math.max(from, this.next); at < end; at++) if (this.isSkipped(at)) this.skipped++
    this.passSkipped()
  }

  // ---- statistics

  /** Messages that were not read, or wait again to be read. */
  get waiting(): number {
    return Math.max(0, this.owner.handed - this.next - this.skipped) + this.returned.count
  }
  get deferredCount(): number {
    return this.table.count
  }
  /** Whether messages wait that were read before, or were deferred. */
  get hasReturned(): boolean {
    return this.returned.count > 0
  }
  /** The earliest due time of a deferred message, in ms since the Unix epoch; `Infinity` without deferred messages. */
  get earliestDue(): number {
    return this.table.earliest
  }
  /** All messages below this sequence are finished. */
  get floor(): number {
    return this.finished.floor
  }
  /** The next message that was not read yet. */
  get cursor(): number {
    return this.next
  }
  /** The next message to read: one that was returned, or the cursor; `undefined` if all have been read. */
  get wanted(): number | undefined {
    if (this.returned.count > 0) return this.returned.lowest
    if (this.next < this.plainFrom) this.passSkipped()
    return this.next < this.owner.handed ? this.next : undefined
  }

  /**
   * Moves the cursor over messages that are finished or deferred, so that their records are not read: they may be missing, and
   * messages behind millions of deferred ones are delivered at once.
   */
  private passSkipped(): void {
    const { handed } = this.owner
    const { ahead, finished } = this
    for (let to = this.next;;) {
      const from = to
      to = finished.firstMissing(to)
      if (ahead !== undefined) to = ahead.firstMissing(to)
      if (to > from && to < handed) continue
      to = Math.max(this.next, Math.min(to, handed))
      this.skipped -= to - this.next
      this.next = to
      break
    }
    if (this.next >= this.plainFrom) this.ahead = undefined
  }
  /** Whether the message is finished, dropped or moved. */
  hasFinished(sequence: number): boolean {
    return this.finished.has(sequence)
  }
  /** Whether the channel has the message and has not finished it. */
  isOpen(sequence: number): boolean {
    return sequence < this.owner.handed && !this.finished.has(sequence)
  }
  /** Deliveries of a message that is neither in flight nor deferred. */
  deliveriesOf(sequence: number): number {
    return (this.attempts.get(sequence) ?? 1) - 1
  }
  /**
   * Calls `entry` for every deferred message, in steps. One that stays deferred may come twice, and one that is deferred or released
   * meanwhile may be missing.
   */
  *eachDeferred(entry: EachDeferred): Generator<void, void> {
    yield* this.table.walk(perStep, entry)
  }
  /** Whether no message of this range is needed any more. */
  isDoneWith(from: number, to: number): boolean {
    return this.finished.includes(from, to)
  }

  // ---- reading

  /**
   * The channel's messages among those of a batch that has the `wanted` one; `undefined` if all of them are finished or
   * deferred.
   */
  take(batch: LogBatch): MessageBatch | undefined {
    return this.returned.count > 0 ? this.takeReturned(batch) : this.takeNext(batch)
  }

  private takeReturned(batch: LogBatch): MessageBatch | undefined {
    const sequences: Array<number> = []
    while (this.returned.lowest < batch.end) {
      const sequence = this.returned.pop()
      if (!this.finished.has(sequence)) sequences.push(sequence)
    }
    return sequences.length === 0
      ? undefined
      : someOf(batch, sequences, this, (sequence) => this.attempts.get(sequence))
  }

  private takeNext(batch: LogBatch): MessageBatch | undefined {
    const from = this.next
    const to = Math.min(batch.end, this.owner.handed)
    this.next = to
    const isDeferred = batch.due > this.owner.wallMillis()
    const isWhole = from === batch.first && to === batch.end
    if (isWhole && !isDeferred && from >= this.plainFrom) return wholeOf(batch, this)
    const sequences: Array<number> = []
    let isPlain = isWhole
    for (let sequence = from; sequence < to; sequence++) {
      if (this.isSkipped(sequence)) this.skipped--
      // A message with attempts has been due: the clock was set back since.
      else if (isDeferred && !this.attempts.has(sequence)) this.defer(sequence, batch.due, 1)
      else sequences.push(sequence)
      isPlain &&= !this.attempts.has(sequence)
    }
    this.passSkipped()
    if (sequences.length === 0) return undefined
    if (isPlain && sequences.length === batch.count) return wholeOf(batch, this)
    return someOf(batch, sequences, this, (sequence) => this.attempts.get(sequence))
  }

  private isSkipped(sequence: number): boolean {
    return sequence < this.plainFrom && (this.finished.has(sequence) || this.ahead?.has(sequence) === true)
  }

  // ---- changes

  /** The messages from `from` up to, but not including, `to` are finished, dropped or moved. */
  finish(from: number, to: number): void {
    if (this.finished.add(from, to) === 0) return
    this.owner.newlyFinished.note(from, to)
    if (this.attempts.size > 0) { for (let sequence = from; sequence < to; sequence++) this.attempts.delete(sequence) }
    this.changes.finished(from, to)
  }

  /** The message is delivered again; its next delivery has these attempts. Its content stays in memory. */
  keepReturned(sequence: number, attempts: number): void {
    if (this.finished.has(sequence)) return
    this.attempts.set(sequence, attempts)
    this.changes.returned(sequence, attempts)
  }

  /** The message waits to be read again. */
  giveBack(sequence: number, attempts: number): void {
    if (this.finished.has(sequence)) return
    this.keepReturned(sequence, attempts)
    this.returned.push(sequence)
  }

  /** The message waits until `due`, in ms since the Unix epoch. */
  defer(sequence: number, due: number, attempts: number): void {
    if (this.finished.has(sequence)) return
    // The table has them: millions of deferred messages do not take a second place.
    this.attempts.delete(sequence)
    this.table.push(sequence, due, attempts)
    this.changes.deferred(sequence, due, attempts)
  }

  /**
   * Defers messages that were just handed over and that the cursor has not reached. After the loss of recorded state, some of them have
   * been handed over before.
   */
  deferAhead({ due, end, first }: Pick<LogBatch, "due" | "end" | "first">): void {
    this.ahead ??= new SequenceSet(0)
    for (let sequence = first; sequence < end; sequence++) {
      if (this.finished.has(sequence) || this.attempts.has(sequence) || this.ahead.has(sequence)) continue
      this.ahead.add(sequence, sequence + 1)
      this.defer(sequence, due, 1)
      this.skipped++
    }
    this.readWithCareBelow(end)
    this.passSkipped()
  }

  /** Lets at most `most` messages that are due at `now` wait to be read; returns how many. */
  releaseDue(now: number, most: number): number {
    let count = 0
    while (count < most && this.table.earliest <= now) {
      const attempts = this.table.earliestAttempts
      const sequence = this.table.pop()
      if (this.finished.has(sequence)) continue
      if (attempts > 1) this.attempts.set(sequence, attempts)
      // A message that the cursor has not passed is read like this too, and the cursor skips it.
      this.returned.push(sequence)
      count++
    }
    return count
  }

  /** Lets a deferred message wait to be read, before it is due; false if it is not deferred. Looks for it in steps. */
  *release(sequence: number): Generator<void, boolean> {
    const attempts = yield* this.table.take(sequence)
    if (attempts === 0 || this.finished.has(sequence)) return false
    this.giveBack(sequence, attempts)
    return true
  }

  /** Finishes a message; false if the channel does not have it. Looks in steps whether it is deferred; others `unload` gives back. */
  *drop(sequence: number, unload: () => void): Generator<void, boolean> {
    if (!this.isOpen(sequence)) return false
    const wasReached = sequence < this.next || this.ahead?.has(sequence) === true
    const wasDeferred = wasReached && (yield* this.table.take(sequence)) > 0
    if (!this.isOpen(sequence)) return false
    if (!wasDeferred) unload()
    this.passFinished(sequence, sequence + 1)
    this.returned.remove(sequence)
    this.attempts.delete(sequence)
    this.changes.skipped(sequence, sequence + 1)
    return true
  }

  /** Drops all messages that were handed to the channel. */
  empty(): void {
    const { handed } = this.owner
    this.returned.clear()
    this.table.clear()
    this.attempts.clear()
    this.next = handed
    this.skipped = 0
    this.ahead = undefined
    this.finish(this.finished.floor, handed)
  }

  /** Makes the messages from `sequence` on, and no others, wait to be read. The whole state has to be recorded. */
  moveTo(sequence: number): void {
    this.returned.clear()
    this.table.clear()
    this.attempts.clear()
    this.finished.reset(sequence)
    this.owner.newlyFinished.noteAll()
    this.next = sequence
    this.plainFrom = sequence
    this.skipped = 0
    this.ahead = undefined
    this.changes.restart()
  }

  /** Messages that do not exist are finished. The cursor passes those that it has reached. */
  skipLost(from: number, to: number): void {
    const isNew = from >= Math.max(this.next, this.plainFrom)
    const added = this.passFinished(from, to)
    // Messages that the cursor has not reached are not returned, and deferred ones can be millions.
    if (isNew || (added === 0 && !this.finished.has(this.returned.lowest))) return
    const isGone = (sequence: number): boolean => this.finished.has(sequence)
    this.returned.removeWhere(isGone)
    this.table.removeWhere(isGone)
    for (const sequence of this.attempts.keys()) if (isGone(sequence)) this.attempts.delete(sequence)
  }

  /** Finishes messages, which the cursor passes; returns how many were not finished before. */
  private passFinished(from: number, to: number): number {
    this.readWithCareBelow(to)
    const end = Math.min(to, this.owner.handed)
    for (let at = Math.max(from, this.next); at < end; at++) if (!this.isSkipped(at)) this.skipped++
    const added = this.finished.add(from, to)
    if (added > 0) this.owner.newlyFinished.note(from, to)
    this.passSkipped()
    return added
  }

  /** Messages that belong to other channels are finished. The cursor passes those that it has reached. */
  skip(from: number, to: number): void {
    // A channel may have read on while its caller looked. A reversed range would damage the state file.
    if (from >= to) return
    this.skipLost(from, to)
    this.changes.skipped(from, to)
  }

  /** Lets all deferred messages wait to be read; returns when each of them would have been due, by sequence. */
  releaseAll(): ReadonlyMap<number, number> {
    const dues = new Map<number, number>()
    this.table.forEach((sequence, due) => {
      if (!this.finished.has(sequence)) dues.set(sequence, due)
    })
    this.releaseDue(Number.MAX_VALUE, Infinity)
    return dues
  }

  /** Of the messages from `from` up to `to`, which are being handed over, keeps as many as wait at most; drops the others. */
  keepOldest(from: number, to: number, most: number): void {
    const room = Math.max(0, most - this.waiting)
    if (to - from > room) this.skipLost(from + room, to)
  }

  // ---- recording

  /** Moves the changes since the last call to `out`. */
  takeChanges(out: LogStateEncoder): void {
    this.changes.take(out)
  }

  /**
   * Encodes the whole state in steps of at most `most` messages. What changes between two of them is among the changes: together with
   * those, the result is the state at its end.
   */
  *encode(out: LogStateChanges, most: number): Generator<void, void> {
    out.created(this.number, this.name, this.finished.floor)
    yield* this.finished.scanRanges((from, to) => out.finished(this.number, from, to))
    yield* this.table.walk(
      most,
      (sequence, due, attempts) => out.deferred(this.number, sequence, due, attempts),
      (sequence, due, attempts) => this.changes.deferredElsewhere(sequence, due, attempts)
    )
    // After the table: messages leave it with their attempts.
    let count = 0
    for (const [sequence, attempts] of this.attempts) {
      out.returned(this.number, sequence, attempts)
      if (++count % most === 0) yield
    }
  }
}
