/**
 * Messages waiting in memory: runs of batches, oldest first. A batch that many channels share is referenced, never copied;
 * what a queue has taken from a batch is a cursor of its own.
 *
 * Hot path: taking messages is synchronous and costs nothing per message.
 */
import { Effect } from "effect"
import type { MessageBatch, StoredRecords } from "../../../protocol/client/MessageBatch.ts"

/** Messages `index` to `end` of a batch; `position` is where message `index` starts in the batch's frames. */
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

  /** Messages waiting. */
  get count(): number {
    return this.messages
  }

  push(span: Span): void {
    this.spans.push(span)
    this.messages += span.end - span.index
  }

  /** The newest span; undefined when the queue is empty. */
  get newest(): Span | undefined {
    return this.messages === 0 ? undefined : this.spans[this.spans.length - 1]
  }

  /** The newest span's batch has gathered `count` more messages. */
  extendNewest(count: number): void {
    const span = this.newest
    if (span === undefined) throw new Error("invariant: only a batch that waits gathers messages")
    span.end += count
    this.messages += count
  }

  /** The oldest span. Only where `count` is not 0. */
  peek(): Span {
    const span = this.spans[this.head]
    if (span === undefined) throw new Error("invariant: peek of an empty queue")
    return span
  }

  /** The first `count` messages of the oldest span, `bytes` of its frames, are taken. */
  advance(count: number, bytes: number): void {
    const span = this.peek()
    span.index += count
    span.position += bytes
    this.messages -= count
    if (span.index < span.end) return
    this.head++
    // Moving the array only when half of it is empty keeps the cost per span constant.
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

  /** Empties the queue and returns what it held, oldest first. */
  takeAll(): ReadonlyArray<Span> {
    const spans = this.head === 0 ? this.spans : this.spans.slice(this.head)
    this.spans = []
    this.head = 0
    this.messages = 0
    return spans
  }
}

/** The messages of a span are dropped or stored elsewhere: what keeps them on disk lets go of them. */
export const settleSpan = (span: Span): void => span.batch.settle(span.position, span.end - span.index)

/** Messages of spans that are nowhere but in memory. */
export const countUnstored = (spans: ReadonlyArray<Span>): number =>
  spans.reduce((sum, span) => span.batch.isOnDisk ? sum : sum + span.end - span.index, 0)

/** Bytes of records made at a time when many spans go to disk: a million messages must not double memory. */
const pieceBytes = 4 * 1024 * 1024

/** Writes spans to disk in order, piece by piece. Fails with the spans that are not written, and why. */
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
