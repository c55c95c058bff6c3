/**
 * Counts what the channels of a log have while its records are read: the messages that the state files do not call finished.
 *
 * Plain loops: a log has millions of messages, and most records are unfinished or finished as a whole.
 */
import { readHeaders } from "../../../protocol/client/Headers.ts"
import { frameBodyStart, frameHeaders, messageFrameHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import { frameStarts, type LogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { RecoveredState } from "../log/RecoveredState.ts"
import { SequenceSet } from "../log/SequenceSet.ts"

/** Names of headers that are counted for each topic and channel. */
const headerNamesMax = 100

/** Unfinished messages; `bytes` are those of their bodies. */
export class Counted {
  messages = 0
  deferred = 0
  bytes = 0
  /** Messages by the names of their headers, as far as there are not too many names. */
  readonly headers = new Map<string, number>()

  /** Counts the names of a message's headers. */
  addHeaders(block: Buffer): void {
    for (const name of Object.keys(readHeaders(block))) {
      const before = this.headers.get(name)
      if (before !== undefined || this.headers.size < headerNamesMax) this.headers.set(name, (before ?? 0) + 1)
    }
  }

  /** Counts a message. */
  add(bodyBytes: number, isDeferred: boolean): void {
    if (isDeferred) this.deferred++
    else this.messages++
    this.bytes += bodyBytes
  }
}

/** The topic or a channel of the log, with what it has. */
export interface LogOwner {
  /** `undefined` for the topic. */
  readonly channel: string | undefined
  readonly counted: Counted
  /** The attempts of the next delivery of messages that were delivered before. */
  readonly attempts: ReadonlyMap<number, number>
}

interface Channel extends LogOwner {
  readonly channel: string
  readonly finished: SequenceSet
  /** Messages that are due in the future. */
  readonly deferred: SequenceSet
}

/** Receives the unfinished messages of a record: the owner, the index in the record, and whether it is due in the future. */
export type EachUnfinished = (owner: LogOwner, index: number, isDeferred: boolean) => void

/** A longer range is not counted message by message: its end comes from a wrong file name. */
const countableRange = 2 ** 32

export class LogContents {
  /** The messages that the topic has not handed to its channels. */
  readonly topic: LogOwner = { channel: undefined, counted: new Counted(), attempts: new Map() }
  readonly channels: ReadonlyArray<Channel>
  private readonly handedTo: number
  private readonly lost = new SequenceSet(0)
  private readonly now: number

  /** `first` is the sequence of the first segment; `now` is in ms since the Unix epoch. */
  constructor(state: RecoveredState, first: number, now: number) {
    this.now = now
    this.channels = state.channels.map(({ attempts, deferred, finished, name }) => {
      const ahead = new SequenceSet(0)
      const all = new Map(attempts)
      deferred.forEach((sequence, due, next) => {
        if (next > 1) all.set(sequence, next)
        if (due > now) ahead.add(sequence, sequence + 1)
      })
      return { channel: name, finished, deferred: ahead, attempts: all, counted: new Counted() }
    })
    for (const { from, to } of state.lostRanges) this.lost.add(from, to)
    this.handedTo = state.heldFrom ?? (this.channels.length === 0 ? first : Infinity)
  }

  /** The lowest sequence that a channel has not finished; `Infinity` without channels. */
  get floor(): number {
    return this.channels.reduce((lowest, { finished }) => Math.min(lowest, finished.floor), Infinity)
  }

  /** How many of the messages from `from` up to, but not including, `to` the topic or a channel needs. */
  needed(from: number, to: number): number {
    if (to - from > countableRange) return to - from
    let count = 0
    for (let sequence = from; sequence < to; sequence++) {
      const isNeeded = sequence >= this.handedTo
        ? !this.lost.has(sequence)
        : this.channels.some(({ finished }) => !finished.has(sequence))
      if (isNeeded) count++
    }
    return count
  }

  /** Counts the messages of an intact record. */
  add(header: LogHeader, frames: Buffer): void {
    let starts: Int32Array | undefined
    this.unfinished(header, ({ counted }, index, isDeferred) => {
      starts ??= frameStarts(frames, header.count)
      const start = header.hasHeaders ? frameBodyStart(frames, starts[index]!) : starts[index]! + messageFrameHeaderSize
      counted.add(starts[index + 1]! - start, isDeferred)
      if (header.hasHeaders) counted.addHeaders(frameHeaders(frames, starts[index]!))
    })
  }

  /** Calls `each` for the unfinished messages of a record: those of one owner after those of another. */
  unfinished({ count, due, first }: LogHeader, each: EachUnfinished): void {
    const isFuture = due > this.now
    for (const channel of this.channels) {
      if (channel.finished.includes(first, first + count)) continue
      for (let i = 0; i < count && first + i < this.handedTo; i++) {
        if (!channel.finished.has(first + i)) each(channel, i, isFuture || channel.deferred.has(first + i))
      }
    }
    for (let i = Math.max(0, this.handedTo - first); i < count; i++) {
      if (!this.lost.has(first + i)) each(this.topic, i, isFuture)
    }
  }
}
