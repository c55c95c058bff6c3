/**
 * Collects the changes of a log's state files, and makes the state of the channels from them.
 */
import type { LogStateChanges } from "../../../protocol/storage/LogState.ts"
import type { RecoveredChannel } from "./ChannelLog.ts"
import { DeferredTable } from "./DeferredTable.ts"
import { SequenceSet } from "./SequenceSet.ts"

const initialEvents = 16

/** Messages that were deferred or returned, in this order; typed arrays, because there may be millions. */
class Events {
  private length = 0
  private sequences = new Float64Array(initialEvents)
  /** 0 for returned messages. */
  private dues = new Float64Array(initialEvents)
  private attempts = new Uint16Array(initialEvents)

  add(sequence: number, due: number, attempts: number): void {
    if (this.length === this.sequences.length) {
      const slots = Math.ceil(this.length * 1.5)
      const widen = <A extends Float64Array | Uint16Array>(to: A, from: A): A => {
        to.set(from)
        return to
      }
      this.sequences = widen(new Float64Array(slots), this.sequences)
      this.dues = widen(new Float64Array(slots), this.dues)
      this.attempts = widen(new Uint16Array(slots), this.attempts)
    }
    this.sequences[this.length] = sequence
    this.dues[this.length] = due
    this.attempts[this.length++] = attempts
  }

  /** Calls `event` for all, the last one first. */
  forEachFromLast(event: (sequence: number, due: number, attempts: number) => void): void {
    for (let at = this.length - 1; at >= 0; at--) event(this.sequences[at]!, this.dues[at]!, this.attempts[at]!)
  }
}

interface CollectedChannel {
  readonly name: string
  readonly finished: SequenceSet
  readonly events: Events
}

/** A channel of the state files. */
export interface NamedChannel extends RecoveredChannel {
  readonly number: number
  readonly name: string
}

export class RecoveredState implements LogStateChanges {
  logEpoch: number | undefined
  /** The topic hands no messages from here on to its channels. */
  heldFrom: number | undefined
  /** The last issued message id. */
  lastIssued: { readonly unit: number; readonly sequence: number } | undefined
  /** The lowest sequence of the log. */
  start = 1
  /** The highest channel number of all times. */
  lastChannel = 0
  private readonly collected = new Map<number, CollectedChannel>()
  private readonly ranges: Array<{ readonly from: number; readonly to: number }> = []

  epoch(epoch: number): void {
    this.logEpoch = epoch
  }
  created(channel: number, name: string, start: number): void {
    this.lastChannel = Math.max(this.lastChannel, channel)
    // A damaged file may repeat what an earlier one has.
    if (this.collected.get(channel)?.name === name) return
    const finished = new SequenceSet(start)
    for (const { from, to } of this.ranges) finished.add(from, to)
    this.collected.set(channel, { name, finished, events: new Events() })
  }
  deleted(channel: number): void {
    this.collected.delete(channel)
  }
  finished(channel: number, from: number, to: number): void {
    this.collected.get(channel)?.finished.add(from, to)
  }
  returned(channel: number, sequence: number, attempts: number): void {
    this.collected.get(channel)?.events.add(sequence, 0, attempts)
  }
  deferred(channel: number, sequence: number, due: number, attempts: number): void {
    this.collected.get(channel)?.events.add(sequence, due, attempts)
  }
  held(sequence: number): void {
    this.heldFrom = sequence
  }
  released(): void {
    this.heldFrom = undefined
  }
  lost(from: number, to: number): void {
    this.ranges.push({ from, to })
    for (const { finished } of this.collected.values()) finished.add(from, to)
  }
  issued(unit: number, sequence: number): void {
    this.lastIssued = { unit, sequence }
  }
  trimmed(sequence: number): void {
    this.start = Math.max(this.start, sequence)
  }

  /** Sequences that do not exist. */
  get lostRanges(): ReadonlyArray<{ readonly from: number; readonly to: number }> {
    return this.ranges
  }

  /** Whether the sequences from `from` up to, but not including, `to` do not exist. */
  isLost(from: number, to: number): boolean {
    const lost = new SequenceSet(from)
    for (const range of this.ranges) lost.add(range.from, range.to)
    return lost.floor >= to
  }

  /** A sequence that is higher than those of all messages in the state. */
  get end(): number {
    let end = Math.max(this.start, this.heldFrom ?? 0)
    for (const { to } of this.ranges) end = Math.max(end, to)
    for (const { events, finished } of this.collected.values()) {
      end = Math.max(end, finished.floor)
      finished.forEachRange((_, to) => void (end = Math.max(end, to)))
      events.forEachFromLast((sequence) => void (end = Math.max(end, sequence + 1)))
    }
    return end
  }

  /** The channels. The last change of each message counts. */
  get channels(): ReadonlyArray<NamedChannel> {
    return Array.from(this.collected, ([number, { events, finished, name }]) => {
      const deferred = new DeferredTable()
      const attemptsOf = new Map<number, number>()
      const seen = new SequenceSet(0)
      events.forEachFromLast((sequence, due, attempts) => {
        if (finished.has(sequence) || seen.add(sequence, sequence + 1) === 0) return
        if (due > 0) deferred.push(sequence, due, attempts)
        else attemptsOf.set(sequence, attempts)
      })
      return { number, name, finished, deferred, attempts: attemptsOf }
    })
  }
}
