/**
 * The messages of the next commit of a log. Everything that is published while one commit is written goes into the next. The
 * messages are laid out as frames behind the header of their record at once: the same bytes are written to the segment, kept
 * for delivery, and sent to consumers.
 *
 * Hot path: one copy per body, no object per message.
 */
import type { Exit } from "effect"
import type { GuidBlock } from "../../../protocol/client/Guid.ts"
import {
  framesSize,
  layOutPublished,
  type MessageBatch,
  type PublishedBodies
} from "../../../protocol/client/MessageBatch.ts"
import { logHeaderSize, writeLogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { LogBatch } from "./LogBatch.ts"
import { largest, type RecordBuffers } from "./RecordBuffers.ts"
import type { RecordChecksum } from "./RecordChecksum.ts"
import type { Placed } from "./SegmentWriter.ts"

/** Bytes of frames in a record, unless a single publish is larger. */
const recordBytes = largest - logHeaderSize
const leastRecordBytes = 1024

interface OpenRecord {
  readonly bytes: Buffer
  readonly first: number
  readonly due: number
  readonly acceptedAt: number
  /** When the last messages were accepted, in ns. */
  lastNanos: bigint
  readonly hasHeaders: boolean
  count: number
  end: number
}

/** Continues a publisher that waits for the commit. */
export type Resume = (result: Exit.Exit<void, StorageError>) => void

/** Called once, when it is known whether the messages are stored, before their publishers go on. */
export type Done = (isStored: boolean) => void

export class CommitGroup {
  /** The sequence of the first message. */
  readonly first: number
  private readonly records: Array<OpenRecord> = []
  private readonly expected: number
  private readonly buffers: RecordBuffers
  private messages = 0
  private size = 0
  private readonly done: Array<Done> = []
  /** Publishers that wait for the commit. */
  readonly waiting: Array<Resume> = []
  /** The result, once the group is committed. */
  result: Exit.Exit<void, StorageError> | undefined

  /** `expected` is the likely size of the group in bytes. */
  constructor(first: number, expected: number, buffers: RecordBuffers) {
    this.buffers = buffers
    this.first = first
    this.expected = Math.max(leastRecordBytes, Math.min(recordBytes, expected))
  }

  get count(): number {
    return this.messages
  }
  /** Bytes of the records. */
  get bytes(): number {
    return this.size
  }
  /** The sequence after the last message. */
  get end(): number {
    return this.first + this.messages
  }

  /** Adds messages that are accepted at `nanos`, and due at `due` or 0, in ms since the Unix epoch. */
  add(bodies: PublishedBodies, nanos: bigint, ids: GuidBlock, due: number): void {
    const record = this.recordFor(framesSize(bodies), due, nanos, bodies.headers !== undefined)
    record.lastNanos = nanos
    this.extend(record, layOutPublished(record.bytes, record.end, bodies, nanos, ids), bodies.count)
  }

  /** Adds the messages of a batch as they are, with their ids, timestamps, attempts and headers. */
  addBatch({ count, frames, hasHeaders }: MessageBatch, nanos: bigint, due: number): void {
    const record = this.recordFor(frames.length, due, nanos, hasHeaders)
    record.lastNanos = nanos
    this.extend(record, record.end + frames.copy(record.bytes, record.end), count)
  }

  private extend(record: OpenRecord, end: number, count: number): void {
    this.size += end - record.end
    record.end = end
    record.count += count
    this.messages += count
  }

  private recordFor(size: number, due: number, nanos: bigint, hasHeaders: boolean): OpenRecord {
    const last = this.records.at(-1)
    if (
      last !== undefined && last.due === due && last.hasHeaders === hasHeaders && last.end + size <= last.bytes.length
    ) {
      return last
    }
    // Records double, so that a group that is larger than expected has few of them.
    const room = due > 0 ? 0 : Math.min(recordBytes, Math.max(this.expected - this.size, this.size))
    const record: OpenRecord = {
      bytes: this.buffers.take(logHeaderSize + Math.max(size, room)),
      first: this.end,
      due,
      acceptedAt: Number(nanos / 1_000_000n),
      lastNanos: nanos,
      hasHeaders,
      count: 0,
      end: logHeaderSize
    }
    this.records.push(record)
    this.size += logHeaderSize
    return record
  }

  /** The records with their headers. All messages below `durable` are durable. */
  seal(epoch: number, durable: number, checksum: RecordChecksum): ReadonlyArray<Placed> {
    return this.records.map(({ acceptedAt, bytes, count, due, end, first, hasHeaders, lastNanos }) => {
      const fields = { epoch, count, first, acceptedAt, due, durable, hasHeaders }
      writeLogHeader(bytes, end, fields, checksum.of(bytes.subarray(logHeaderSize, end)))
      return { first, acceptedAt, lastAcceptedAt: Number(lastNanos / 1_000_000n), bytes: bytes.subarray(0, end) }
    })
  }

  /** The messages for delivery. */
  get batches(): ReadonlyArray<LogBatch> {
    return this.records.map(({ bytes, count, due, end, first, hasHeaders }) =>
      new LogBatch(first, count, bytes.subarray(logHeaderSize, end), due, hasHeaders, bytes)
    )
  }

  whenDone(done: Done): void {
    this.done.push(done)
  }

  /** Tells the publishers. */
  complete(result: Exit.Exit<void, StorageError>): void {
    this.result = result
    for (const done of this.done) done(result._tag === "Success")
    for (const resume of this.waiting) resume(result)
  }
}
