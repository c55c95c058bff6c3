/**
 * Messages waiting in memory: spans of batches, oldest first. A batch shared by many channels is referenced, not
 * copied; each queue has its own cursor in it.
 *
 * Hot path: taking messages is synchronous and has no cost per message.
 */
import { Effect } from "effect"
import type { MessageBatch, StoredRecords } from "../../../protocol/client/MessageBatch.ts"

/** Messages `index` to `end` of a batch; `position` is the start of message `index` in the batch's frames. */
export interface Span {
  readonly batch: MessageBatch
  index: number
  position: number
  end: number
}

export const wholeBatch = (batch: MessageBatch): Span => ({ batch, index: 0, position: 0, end: batch.count })

export class MemoryQueue {
  private spans: Array<Span> = []
  private head = 0
  private messages = 0

  /** Number of waiting messages. */
  get count(): number {
    return this.messages
  }

  push(span: Span): void {
    this.spans.push(span)
    this.messages += span.end - span.index
  }

  /** Calls `each` for every span, oldest first. */
  forEach(each: (span: Span) => void): void {
    for (let i = this.head; i < this.spans.length; i++) each(this.spans[i]!)
  }

  /** The spans that wait now, oldest first. Those that leave by `advance` become empty. */
  get waiting(): ReadonlyArray<Span> {
    return this.spans.slice(this.head)
  }

  /**
   * Removes message `index`, at `position`, of a span; what follows in the span becomes a span of its own. False if the message does not
   * wait here any more. The batch must not gather messages.
   */
  remove(span: Span, index: number, position: number): boolean {
    const at = this.spans.indexOf(span, this.head)
    if (at < 0 || index < span.index || index >= span.end) return false
    const { batch, end } = span
    if (index + 1 < end) {
      const next = position + batch.frames.readInt32BE(position) + 4
      this.spans.splice(at + 1, 0, { batch, index: index + 1, position: next, end })
    }
    span.end = index
    if (span.index === index) this.spans.splice(at, 1)
    this.messages--
    return true
  }

  /** The newest span; `undefined` if the queue is empty. */
  get newest(): Span | undefined {
    return this.messages === 0 ? undefined : this.spans[this.spans.length - 1]
  }

  /** Adds `count` messages that the newest span's batch has gathered. */
  extendNewest(count: number): void {
    const span = this.newest
    if (span === undefined) throw new Error("invariant: only a batch that waits gathers messages")
    span.end += count
    this.messages += count
  }

  /** The oldest span. Requires `count` > 0. */
  peek(): Span {
    const span = this.spans[this.head]
    if (span === undefined) throw new Error("invariant: peek of an empty queue")
    return span
  }

  /** Removes the first `count` messages, `bytes` of frames, of the oldest span. */
  advance(count: number, bytes: number): void {
    const span = this.peek()
    span.index += count
    span.position += bytes
    this.messages -= count
    if (span.index < span.end) return
    this.head++
    // The array is moved only when half of it is empty, so that the cost per span is constant.
    if (this.head * 2 >= this.spans.length) {
      this.spans = this.spans.slice(this.head)
      this.head = 0
    }
  }

  /** Takes the oldest spans, at most `most`. */
  take(most: number): ReadonlyArray<Span> {
    if (most >= this.spans.length - this.head) return this.takeAll()
    const taken = this.spans.slice(this.head, this.head + most)
    for (const span of taken) this.messages -= span.end - span.index
    this.head += most
    if (this.head * 2 >= this.spans.length) {
      this.spans = this.spans.slice(this.head)
      this.head = 0
    }
    return taken
  }

  /** Empties the queue; returns its spans, oldest first. */
  takeAll(): ReadonlyArray<Span> {
    const spans = this.head === 0 ? this.spans : this.spans.slice(this.head)
    this.spans = []
    this.head = 0
    this.messages = 0
    return spans
  }
}

/** Settles the messages of a span that are dropped or stored elsewhere, so that their disk queue releases them. */
export const settleSpan = (span: Span): void => span.batch.settle(span.position, span.end - span.index)

/** Number of messages in spans. */
export const countMessages = (spans: ReadonlyArray<Span>): number =>
  spans.reduce((sum, { end, index }) => sum + end - index, 0)

/** Number of messages in spans that are only in memory. */
export const countUnstored = (spans: ReadonlyArray<Span>): number =>
  spans.reduce((sum, span) => span.batch.isOnDisk ? sum : sum + span.end - span.index, 0)

/** Number of messages in records. */
export const countRecords = (records: ReadonlyArray<StoredRecords>): number =>
  records.reduce((sum, { count }) => sum + count, 0)

/** Bytes of records per write, so that writing a million messages does not double the memory. */
const pieceBytes = 4 * 1024 * 1024

/** Writes spans to disk in order, in pieces. Fails with the error and the unwritten spans. */
export const storeInPieces = <E>(
  spans: ReadonlyArray<Span>,
  append: (records: ReadonlyArray<StoredRecords>) => Effect.Effect<void, E>,
  written: (span: Span) => void
): Effect.Effect<void, { readonly error: E; readonly left: ReadonlyArray<Span> }> =>
  Effect.gen(function*() {
    let from = 0
    while (from < spans.length) {
      const records: Array<StoredRecords> = []
      let bytes = 0
      let to = from
      for (; to < spans.length && bytes < pieceBytes; to++) {
        const span = spans[to]!
        const encoded = span.batch.encodeRecords(span.index, span.end, span.position)
        records.push(encoded)
        bytes += encoded.end - encoded.start
      }
      const piece = spans.slice(from, to)
      yield* Effect.mapError(append(records), (error) => ({ error, left: spans.slice(from) }))
      piece.forEach(written)
      from = to
    }
  })
