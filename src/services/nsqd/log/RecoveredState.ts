/**
 * Collects the changes of a log's state files, and makes the state of the channels from them.
 */
import type { LogStateChanges } from "../../../protocol/storage/LogState.ts"
import { DeferredList } from "./DeferredList.ts"
import { DeferredTable } from "./DeferredTable.ts"
import { type IssuedId, laterId } from "./LogCommits.ts"
import { SequenceSet } from "./SequenceSet.ts"

/** A channel with fewer changes of messages is not tidied. */
const tidyLeast = 100_000

/** The state that recovery has found for a channel. */
export interface RecoveredChannel {
  readonly finished: SequenceSet
  readonly deferred: DeferredTable
  /** The attempts of the next delivery of messages that were returned. */
  readonly attempts: Map<number, number>
}

/** A channel with the messages that were deferred or returned, in this order. The due time of returned messages is 0. */
class CollectedChannel {
  readonly name: string
  readonly finished: SequenceSet
  /** The sequence after the last one that the channel has used. */
  end: number
  private readonly changes = new DeferredList()
  private tidyAt = tidyLeast

  constructor(name: string, start: number) {
    this.name = name
    this.end = start
    this.finished = new SequenceSet(start)
  }

  finish(from: number, to: number): void {
    this.end = Math.max(this.end, to)
    this.finished.add(from, to)
  }

  change(sequence: number, due: number, attempts: number): void {
    this.end = Math.max(this.end, sequence + 1)
    if (this.changes.length >= this.tidyAt) {
      this.tidy()
      this.tidyAt = Math.max(tidyLeast, 2 * this.changes.length)
    }
    this.changes.add(sequence, due, attempts)
  }

  /** Keeps the last change of each message, and none of finished ones. */
  private tidy(): void {
    const { changes, finished } = this
    const seen = new SequenceSet(0)
    let first = changes.length
    for (let at = changes.length - 1; at >= 0; at--) {
      const sequence = changes.sequenceAt(at)
      if (!finished.has(sequence) && seen.add(sequence, sequence + 1) > 0) changes.move(at, --first)
    }
    const kept = changes.length - first
    for (let at = 0; at < kept; at++) changes.move(first + at, at)
    changes.cut(kept)
  }

  /** Takes the messages out. */
  take(): RecoveredChannel {
    this.tidy()
    const { changes, finished } = this
    const attempts = new Map<number, number>()
    let deferred = 0
    for (let at = 0; at < changes.length; at++) {
      if (changes.dueAt(at) > 0) changes.move(at, deferred++)
      else attempts.set(changes.sequenceAt(at), changes.attemptsAt(at))
    }
    changes.cut(deferred)
    return { finished, deferred: new DeferredTable(changes), attempts }
  }
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
  lastIssued: IssuedId | undefined
  /** The lowest sequence of the log. */
  start = 1
  /** The highest channel number of all times. */
  lastChannel = 0
  private readonly collected = new Map<number, CollectedChannel>()
  private readonly ranges: Array<{ readonly from: number; readonly to: number }> = []
  private taken: ReadonlyArray<NamedChannel> | undefined

  epoch(epoch: number): void {
    this.logEpoch = epoch
  }
  created(channel: number, name: string, start: number): void {
    this.lastChannel = Math.max(this.lastChannel, channel)
    // A damaged file may repeat what an earlier one has.
    if (this.collected.get(channel)?.name === name) return
    const collected = new CollectedChannel(name, start)
    for (const { from, to } of this.ranges) collected.finished.add(from, to)
    this.collected.set(channel, collected)
  }
  deleted(channel: number): void {
    this.collected.delete(channel)
  }
  finished(channel: number, from: number, to: number): void {
    this.collected.get(channel)?.finish(from, to)
  }
  returned(channel: number, sequence: number, attempts: number): void {
    this.collected.get(channel)?.change(sequence, 0, attempts)
  }
  deferred(channel: number, sequence: number, due: number, attempts: number): void {
    this.collected.get(channel)?.change(sequence, due, attempts)
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
    this.lastIssued = laterId(this.lastIssued, { unit, sequence })
  }
  trimmed(sequence: number): void {
    this.start = Math.max(this.start, sequence)
  }

  /** Sequences that do not exist. */
  get lostRanges(): ReadonlyArray<{ readonly from: number; readonly to: number }> {
    return this.ranges
  }

  /** The ranges of sequences that do not exist, ascending, as far as they do not touch. */
  get gaps(): ReadonlyArray<{ readonly from: number; readonly to: number }> {
    const lost = new SequenceSet(0)
    for (const { from, to } of this.ranges) lost.add(from, to)
    const gaps: Array<{ readonly from: number; readonly to: number }> = []
    lost.forEachRange((from, to) => void gaps.push({ from, to }))
    return gaps
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
    for (const channel of this.collected.values()) end = Math.max(end, channel.end)
    return end
  }

  /** The channels. The last change of each message counts. No changes may follow. */
  get channels(): ReadonlyArray<NamedChannel> {
    this.taken ??= Array.from(this.collected, ([number, channel]) => ({
      number,
      name: channel.name,
      ...channel.take()
    }))
    return this.taken
  }
}
