/**
 * The messages of one record of a log in memory, shared by all channels that deliver them; and what a channel keeps to know
 * which of them are finished.
 *
 * Hot path: one small object per record and channel, none per message.
 */
import { type Ledger, MessageBatch, setAttempts } from "../../../protocol/client/MessageBatch.ts"
import { frameStarts } from "../../../protocol/storage/LogRecord.ts"
import type { RecordBuffers } from "./RecordBuffers.ts"

/** The messages `first` to `first + count` of a log as frames. */
export class LogBatch {
  readonly first: number
  readonly count: number
  readonly frames: Buffer
  /** When the messages become due, in ms since the Unix epoch; 0 if they are not deferred. */
  readonly due: number
  /** Whether messages may have headers. */
  readonly hasHeaders: boolean
  private offsets: Int32Array | undefined
  /** The buffer of the frames, as long as nothing else refers to it. */
  private own: Buffer | undefined

  get _tag(): "LogBatch" {
    return "LogBatch"
  }

  /** `own` is the buffer of the frames if it can be used again; `starts` the start of each frame and the end of the last one. */
  constructor(
    first: number,
    count: number,
    frames: Buffer,
    due: number,
    hasHeaders: boolean,
    own?: Buffer,
    starts?: Int32Array
  ) {
    this.hasHeaders = hasHeaders
    this.own = own
    this.offsets = starts
    this.first = first
    this.count = count
    this.frames = frames
    this.due = due
  }

  /** The sequence after the last message. */
  get end(): number {
    return this.first + this.count
  }

  /** Others refer to the frames from now on: their buffer is not used again. */
  share(): void {
    this.own = undefined
  }

  /** Gives the buffer back if nothing refers to it. The batch must not be used any more. */
  release(buffers: RecordBuffers): void {
    if (this.own !== undefined) buffers.give(this.own)
    this.own = undefined
  }

  /** The start of each frame, and the end of the last one. */
  get starts(): Int32Array {
    return this.offsets ??= frameStarts(this.frames, this.count)
  }
}

/** The channel of delivered messages. */
export interface Finishing {
  /** The messages from `from` up to, but not including, `to` are finished. */
  readonly finish: (from: number, to: number) => void
}

/** A ledger that also knows the sequence of a message. */
export interface LogLedger extends Ledger {
  readonly sequenceAt: (position: number) => number
}

/** Finds the index of `position` in `starts`; `hint` is the likely one. */
const indexOf = (starts: Int32Array, position: number, hint: number): number => {
  if (starts[hint] === position) return hint
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (starts[middle]! < position) low = middle + 1
    else high = middle
  }
  if (starts[low] !== position) throw new Error(`invariant: no message starts at ${position}`)
  return low
}

/** The ledger of a whole batch, or of consecutive messages of it that fill their frames. */
class WholeBatch implements LogLedger {
  private readonly channel: Finishing
  private readonly batch: LogBatch
  /** The message after the last settled one: messages are mostly finished in order. */
  private next = 0

  constructor(channel: Finishing, batch: LogBatch) {
    this.channel = channel
    this.batch = batch
  }

  settle(position: number, count: number): void {
    const { batch } = this
    const index = indexOf(batch.starts, position, this.next)
    this.next = index + count
    this.channel.finish(batch.first + index, batch.first + index + count)
  }

  sequenceAt(position: number): number {
    return this.batch.first + indexOf(this.batch.starts, position, this.next)
  }
}

/** The ledger of some messages of a batch. */
class SomeMessages implements LogLedger {
  private readonly channel: Finishing
  private readonly sequences: ReadonlyArray<number>
  private readonly starts: Int32Array
  private next = 0

  constructor(channel: Finishing, sequences: ReadonlyArray<number>, starts: Int32Array) {
    this.channel = channel
    this.sequences = sequences
    this.starts = starts
  }

  settle(position: number, count: number): void {
    const index = indexOf(this.starts, position, this.next)
    this.next = index + count
    for (let at = index; at < index + count; at++) this.channel.finish(this.sequences[at]!, this.sequences[at]! + 1)
  }

  sequenceAt(position: number): number {
    return this.sequences[indexOf(this.starts, position, this.next)]!
  }
}

/** All messages of the batch, to be delivered and finished by a channel. */
export const wholeOf = (batch: LogBatch, channel: Finishing): MessageBatch =>
  MessageBatch.ofFrames(batch.frames, batch.count, new WholeBatch(channel, batch), batch.hasHeaders)

/**
 * The given messages of the batch, at least one, in a copy. `attemptsOf` returns the attempts of a message's next delivery;
 * `undefined` for those in the log.
 */
export const someOf = (
  batch: LogBatch,
  sequences: ReadonlyArray<number>,
  channel: Finishing,
  attemptsOf: (sequence: number) => number | undefined
): MessageBatch => {
  const { first, frames, starts } = batch
  const copied = new Int32Array(sequences.length + 1)
  let size = 0
  sequences.forEach((sequence, at) => {
    copied[at] = size
    size += starts[sequence - first + 1]! - starts[sequence - first]!
  })
  copied[sequences.length] = size
  const copy = Buffer.allocUnsafeSlow(size)
  sequences.forEach((sequence, at) => {
    frames.copy(copy, copied[at]!, starts[sequence - first]!, starts[sequence - first + 1]!)
    const attempts = attemptsOf(sequence)
    if (attempts !== undefined) setAttempts(copy, copied[at]!, attempts)
  })
  return MessageBatch.ofFrames(copy, sequences.length, new SomeMessages(channel, sequences, copied), batch.hasHeaders)
}
