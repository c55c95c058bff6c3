/**
 * Reads records of a log. One read fetches many records, which stay in a small cache, so that channels at the same place share
 * it and a channel reads ahead. Damage is reported as a range of sequences; the records around it are read.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseLogFileName } from "../../../protocol/storage/LogFiles.ts"
import { findLogHeader, intactStarts, logHeaderSize, readLogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import { LogBatch } from "./LogBatch.ts"
import type { LogMemory } from "./LogMemory.ts"
import type { RecordStart, Segment, Segments } from "./Segment.ts"

/** Bytes per read, unless a record is larger. */
const blockBytes = 256 * 1024
/** Bytes per read that goes on where the last one has ended. */
const nextBlockBytes = 512 * 1024
/** Bytes of records in the cache. */
const cacheBytes = 2 * 1024 * 1024

/** Messages of a log that cannot be read: their records are damaged or missing. */
export interface Damage {
  readonly _tag: "Damage"
  readonly from: number
  readonly to: number
  readonly description: string
}

/** What was found at a sequence. */
export type Found = LogBatch | Damage

export class SegmentReader {
  private readonly disk: Disk["Service"]
  private readonly epoch: number
  private readonly segments: Segments
  private readonly memory: LogMemory
  private readonly cache: Array<LogBatch> = []
  private cached = 0
  /** Where the last message was found: the next one is there or behind it. */
  private hint = 0
  private open: { readonly segment: Segment; readonly file: DiskFile } | undefined
  /** The first record behind the last block. */
  private next: (RecordStart & { readonly segment: Segment }) | undefined

  constructor(disk: Disk["Service"], epoch: number, segments: Segments, memory: LogMemory) {
    this.memory = memory
    this.disk = disk
    this.epoch = epoch
    this.segments = segments
  }

  /** Bytes of frames in the cache. */
  get bytes(): number {
    return this.cached
  }

  /** The cached batch with the message. */
  find(sequence: number): LogBatch | undefined {
    const { cache, hint } = this
    for (let at = hint; at < hint + 2 && at < cache.length; at++) {
      const batch = cache[at]!
      if (batch.first <= sequence && sequence < batch.end) {
        this.hint = at
        return batch
      }
    }
    const found = cache.findIndex((batch) => batch.first <= sequence && sequence < batch.end)
    if (found < 0) return undefined
    this.hint = found
    return cache[found]
  }

  /** Reads the record with the message. Messages below `end` exist unless they are damaged. */
  read(sequence: number, end: number): Effect.Effect<Found, DiskError> {
    return Effect.suspend(() => {
      const cached = this.find(sequence)
      if (cached !== undefined) return Effect.succeed(cached)
      const segment = this.segments.find(sequence)
      if (segment === undefined || sequence < segment.first) {
        const to = segment?.first ?? end
        return Effect.succeed(damage(sequence, to, `the segment with message ${sequence} is missing`))
      }
      return Effect.flatMap(this.fileOf(segment), (file) =>
        file === undefined
          ? Effect.succeed(damage(sequence, Math.min(segment.end, end), `${segment.path} is missing`))
          : this.readSegment(segment, file, sequence))
    })
  }

  /** The open file of the segment; `undefined` if it was removed. */
  private fileOf(segment: Segment): Effect.Effect<DiskFile | undefined, DiskError> {
    return Effect.suspend(() => {
      const { open } = this
      if (open?.segment === segment) return Effect.succeed(open.file)
      const opened = Effect.map(this.disk.open(segment.path), (file) => {
        this.open = { segment, file }
        return file
      })
      return Effect.andThen(
        this.close,
        Effect.catch(
          opened,
          (error) =>
            Effect.flatMap(
              error.code === "ENOENT" ? this.isRemoved(segment) : Effect.succeed(false),
              (isRemoved) => isRemoved ? Effect.undefined : Effect.fail(error)
            )
        )
      )
    })
  }

  /**
   * Whether only the segment is missing. If the state of the log is missing as well, the disk may have been unmounted: it may come
   * back, and the read is retried.
   */
  private isRemoved(segment: Segment): Effect.Effect<boolean> {
    return Effect.match(this.disk.list(Path.dirname(segment.path)), {
      onFailure: () => false,
      onSuccess: (names) =>
        !names.includes(Path.basename(segment.path)) && names.some((name) => parseLogFileName(name)?.kind === "state")
    })
  }

  /** Closes the file that was read last. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { open } = this
      this.open = undefined
      return open === undefined ? Effect.void : open.file.close
    })
  }

  private readSegment(segment: Segment, file: DiskFile, sequence: number): Effect.Effect<Found, DiskError> {
    return Effect.gen({ self: this }, function*() {
      const { next } = this
      const goesOn = next?.segment === segment && next.sequence === sequence
      let { position, sequence: expected } = goesOn ? next : segment.before(sequence)
      let want = goesOn ? nextBlockBytes : blockBytes
      while (true) {
        const bytes = yield* readBlock(file, position, want)
        const parsed = this.parse(segment, bytes, position, expected, sequence)
        if (parsed.found !== undefined) {
          this.next = { segment, sequence: parsed.expected, position: position + parsed.at }
          return parsed.found
        }
        if (parsed.at > 0) {
          position += parsed.at
          expected = parsed.expected
          want = blockBytes
          continue
        }
        // No whole record starts here.
        const header = readLogHeader(bytes, 0, this.epoch)
        if (header !== undefined && header.first >= expected && header.first < segment.end) {
          if (sequence < header.first) {
            return damage(sequence, header.first, `${segment.path} has no message ${sequence}`)
          }
          const size = logHeaderSize + header.payloadBytes
          if (bytes.length < want || size <= want) {
            return damage(sequence, header.first + header.count, `${segment.path} is cut at ${position + bytes.length}`)
          }
          want = size
          continue
        }
        const next = yield* this.resync(segment, file, position, expected)
        if (next === undefined || sequence < next.sequence) {
          const to = next?.sequence ?? Math.max(segment.end, sequence + 1)
          // A segment may end with zeros that were written ahead of its records.
          return damage(
            sequence,
            to,
            bytes.every((byte) => byte === 0)
              ? `the segment with message ${sequence} is missing`
              : `${segment.path} is damaged at ${position}`
          )
        }
        position = next.position
        expected = next.sequence
        want = blockBytes
      }
    })
  }

  /**
   * Keeps the whole records of a block from the wanted one on. The result is the wanted one, if the block has it, and otherwise
   * where the first record starts that has to be read again.
   */
  private parse(
    segment: Segment,
    bytes: Buffer,
    position: number,
    start: number,
    sequence: number
  ): { readonly found: Found | undefined; readonly at: number; readonly expected: number } {
    let at = 0
    let expected = start
    let found: Found | undefined
    while (at < bytes.length) {
      const header = readLogHeader(bytes, at, this.epoch)
      if (header === undefined || header.first < expected || header.first >= segment.end) break
      const after = header.first + header.count
      const end = at + logHeaderSize + header.payloadBytes
      if (after > sequence) {
        if (end > bytes.length || (header.first > sequence && found === undefined)) break
        const frames = bytes.subarray(at + logHeaderSize, end)
        const starts = intactStarts(header, frames, this.memory.checksum.of(frames))
        if (starts === undefined) {
          found ??= damage(header.first, after, `${segment.path} has a damaged record at ${position + at}`)
          break
        }
        const batch = new LogBatch(header.first, header.count, frames, header.due, header.hasHeaders, undefined, starts)
        found ??= batch
        this.keep(batch)
      }
      segment.note(header.first, position + at)
      expected = after
      at = end
    }
    return { found, at, expected }
  }

  /** Finds the first intact header behind `position` of a record from the sequence `expected` on. */
  private resync(
    segment: Segment,
    file: DiskFile,
    position: number,
    expected: number
  ): Effect.Effect<{ readonly sequence: number; readonly position: number } | undefined, DiskError> {
    return Effect.gen({ self: this }, function*() {
      for (let from = position + 1;;) {
        const bytes = yield* readBlock(file, from, blockBytes)
        for (let at = findLogHeader(bytes, 0, this.epoch); at >= 0; at = findLogHeader(bytes, at + 1, this.epoch)) {
          const header = readLogHeader(bytes, at, this.epoch)
          // A file that is used again has records of its earlier life.
          if (header === undefined || header.first < expected) continue
          return header.first >= segment.end ? undefined : { sequence: header.first, position: from + at }
        }
        if (bytes.length < blockBytes) return undefined
        // A header may lie across two blocks.
        from += blockBytes - logHeaderSize
      }
    })
  }

  private keep(batch: LogBatch): void {
    if (this.find(batch.first) !== undefined) return
    const bytes = batch.frames.length
    this.cache.push(batch)
    this.cached += bytes
    this.memory.grew(this, bytes)
    while (this.cached > cacheBytes && this.cache.length > 1) this.evict()
  }

  /** Drops the record that was read first. */
  evict(): void {
    const bytes = this.cache.shift()!.frames.length
    this.cached -= bytes
    this.hint = Math.max(0, this.hint - 1)
    this.memory.shrank(this, bytes)
  }

  /** Drops what was read before. */
  clear(): void {
    while (this.cache.length > 0) this.evict()
  }
}

/** At most `want` bytes from `position`; fewer only at the end of the file. */
const readBlock = (file: DiskFile, position: number, want: number): Effect.Effect<Buffer, DiskError> =>
  Effect.suspend(() => {
    const block = Buffer.allocUnsafeSlow(want)
    return Effect.map(file.read(block, position), (count) => block.subarray(0, count))
  })

const damage = (from: number, to: number, description: string): Damage => ({ _tag: "Damage", from, to, description })
