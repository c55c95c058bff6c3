/**
 * Counts what the channels of a log have while its records are read: the messages that the state files do not call finished.
 *
 * Plain loops: a log has millions of messages, and most records are unfinished or finished as a whole.
 */
import { messageFrameHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import { frameStarts, type LogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { RecoveredState } from "../log/RecoveredState.ts"
import { SequenceSet } from "../log/SequenceSet.ts"

/** Unfinished messages; `bytes` are those of their bodies. */
export class Counted {
  messages = 0
  deferred = 0
  bytes = 0

  /** Counts a message. */
  add(bodyBytes: number, isDeferred: boolean): void {
    if (isDeferred) this.deferred++
    else this.messages++
    this.bytes += bodyBytes
  }
}

/** A channel of the log. */
export interface CountedChannel {
  readonly name: string
  readonly counted: Counted
  readonly finished: SequenceSet
  /** Messages that are due in the future. */
  readonly deferred: SequenceSet
}

/** A longer range is not counted message by message: its end comes from a wrong file name. */
const countableRange = 2 ** 32

export class LogContents {
  /** The messages that the topic has not handed to its channels. */
  readonly topic = new Counted()
  readonly channels: ReadonlyArray<CountedChannel>
  private readonly handedTo: number
  private readonly lost = new SequenceSet(0)
  private readonly now: number

  /** `first` is the sequence of the first segment; `now` is in ms since the Unix epoch. */
  constructor(state: RecoveredState, first: number, now: number) {
    this.now = now
    this.channels = state.channels.map(({ deferred, finished, name }) => {
      const ahead = new SequenceSet(0)
      deferred.forEach((sequence, due) => due > now && ahead.add(sequence, sequence + 1))
      return { name, finished, deferred: ahead, counted: new Counted() }
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
    const { count, first } = header
    const isFuture = header.due > this.now
    let starts: Int32Array | undefined
    for (const channel of this.channels) {
      if (channel.finished.includes(first, first + count)) continue
      starts ??= frameStarts(frames, count)
      for (let i = 0; i < count && first + i < this.handedTo; i++) {
        if (channel.finished.has(first + i)) continue
        const bodyBytes = starts[i + 1]! - starts[i]! - messageFrameHeaderSize
        channel.counted.add(bodyBytes, isFuture || channel.deferred.has(first + i))
      }
    }
    if (first + count <= this.handedTo) return
    starts ??= frameStarts(frames, count)
    for (let i = Math.max(0, this.handedTo - first); i < count; i++) {
      if (!this.lost.has(first + i)) this.topic.add(starts[i + 1]! - starts[i]! - messageFrameHeaderSize, isFuture)
    }
  }
}
