/**
 * A run of a topic's disk queue that channels have got and could not store, because their disk refuses writes. Each of these channels
 * has a share of the run: the messages that it has to settle. The topic's files keep a message until all of them have finished, dropped
 * or stored it, so that neither a stop nor a crash loses it.
 *
 * The shares have the frames of the run in common.
 */
import {
  frameIdOffset,
  frameTimestampOffset,
  type Ledger,
  MessageBatch,
  recordHeaderSize,
  type StoredRecords
} from "../../../protocol/client/MessageBatch.ts"
import type { StoredRun } from "../storage/BackendQueue.ts"
import type { Span } from "./MemoryQueue.ts"

/** Offsets in a record of a disk queue: timestamp, id. */
const recordTimestampOffset = 4
const recordIdOffset = 14
const timestampSize = 8

export class LentRun {
  /** Whether the topic's queue was emptied: the messages are only in memory. */
  isGone = false
  private readonly ledger: Ledger
  private readonly frames: Buffer
  /** The position of each message in `frames`. */
  private readonly positions: Int32Array
  /** The number of shares that have each message. */
  private readonly holders: Uint32Array
  private readonly receivers: () => number
  private readonly ended: (run: LentRun) => void
  /** Unsettled messages of all shares. */
  private left = 0

  /**
   * `receivers` is the number of channels that get the messages of the topic and keep them on disk; `ended` is called when all shares are
   * settled.
   */
  constructor(run: StoredRun, receivers: () => number, ended: (run: LentRun) => void) {
    this.ledger = run.ledger
    this.receivers = receivers
    this.ended = ended
    const { frames } = MessageBatch.stored(run)
    this.frames = frames
    this.holders = new Uint32Array(run.count)
    this.positions = new Int32Array(run.count)
    for (let i = 0, at = 0; i < run.count; i++) {
      this.positions[i] = at
      at += frames.readInt32BE(at) + 4
    }
  }

  /**
   * Lends messages of the run, in their order, to a channel, and returns them. `begin` follows when all channels have got theirs: until
   * then none may be settled.
   */
  lend(records: ReadonlyArray<StoredRecords>): ReadonlyArray<Span> {
    const { frames, holders, positions } = this
    const held = new Uint8Array(positions.length)
    const batch = MessageBatch.ofFrames(frames, positions.length, new Share(this, held))
    const spans: Array<Span> = []
    let index = 0
    for (const { bytes, count, start } of records) {
      const of = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      for (let i = 0, at = start; i < count; i++, at += 4 + of.readInt32BE(at), index++) {
        while (!this.isAt(index, of, at)) index++
        held[index] = 1
        holders[index]!++
        this.left++
        const last = spans.at(-1)
        if (last?.end === index) last.end++
        else spans.push({ batch, index, position: positions[index]!, end: index + 1 })
      }
    }
    return spans
  }

  /** Settles the messages that no channel has borrowed. */
  begin(): void {
    this.holders.forEach((holders, index) => {
      if (holders === 0) this.ledger.settle(this.positions[index]!, 1)
    })
  }

  /** Whether message `index` is the one of a record. */
  private isAt(index: number, records: Buffer, record: number): boolean {
    const position = this.positions[index]
    if (position === undefined) throw new Error("invariant: a channel gets messages of the run, in their order")
    const same = (offset: number, inFrame: number, size: number): boolean => {
      const from = position + inFrame
      return records.compare(this.frames, from, from + size, record + offset, record + offset + size) === 0
    }
    return same(recordIdOffset, frameIdOffset, recordHeaderSize - recordIdOffset) &&
      same(recordTimestampOffset, frameTimestampOffset, timestampSize)
  }

  /** The message whose frame starts at `position`. */
  indexAt(position: number): number {
    const { positions } = this
    let low = 0
    let high = positions.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (positions[middle]! < position) low = middle + 1
      else high = middle
    }
    if (positions[low] !== position) throw new Error(`invariant: no message starts at ${position} of the lent run`)
    return low
  }

  /** A share has settled a message. */
  settled(index: number): void {
    if (--this.holders[index]! === 0) this.ledger.settle(this.positions[index]!, 1)
    if (--this.left === 0) this.ended(this)
  }

  /** Whether no channel of the topic has settled a message, or is newer than the run. */
  isWhole(index: number): boolean {
    return this.holders[index]! >= this.receivers()
  }
}

/** The messages of a run that a channel has to settle. */
class Share implements Ledger {
  private readonly run: LentRun
  /** 1 for messages that are not settled. */
  private readonly held: Uint8Array

  constructor(run: LentRun, held: Uint8Array) {
    this.run = run
    this.held = held
  }

  get isGone(): boolean {
    return this.run.isGone
  }

  settle(position: number, count: number): void {
    const { held, run } = this
    const first = run.indexAt(position)
    for (let index = first; index < first + count; index++) {
      if (held[index] !== 1) continue
      held[index] = 0
      run.settled(index)
    }
  }

  isWhole(position: number): boolean {
    return this.run.isWhole(this.run.indexAt(position))
  }
}

/**
 * The parts of a span that a channel has to write when it stops. The others stay in the disk queue of the topic, which hands them over to
 * all channels again; those of which a channel is rid would come to it twice.
 */
export const partsToWrite = (span: Span): ReadonlyArray<Span> => {
  const { batch, end, index, position } = span
  if (batch.isWholeAt(position) === undefined) return [span]
  const parts: Array<Span> = []
  let at = position
  for (let i = index; i < end; i++) {
    if (batch.isWholeAt(at) !== true) {
      const last = parts.at(-1)
      if (last?.end === i) last.end++
      else parts.push({ batch, index: i, position: at, end: i + 1 })
    }
    at += batch.frames.readInt32BE(at) + 4
  }
  return parts
}
