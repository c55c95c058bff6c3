/**
 * Reads the records of a log in order, for browsing and for finding a time (`TimeSearch`). It has files of its own, so that the channels
 * read and segments are removed meanwhile: records that disappear are passed over, and none is shown that was not written whole.
 *
 * Hot path: one read per megabyte, and nothing per message until a record is wanted.
 */
import { Effect } from "effect"
import { findLogHeader, type LogHeader, logHeaderSize, readLogHeader } from "../../../protocol/storage/LogRecord.ts"
import { finish, type Turns, unlimited } from "../../core/Turns.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { Segment, Segments } from "./Segment.ts"

const usualBlockBytes = 1024 * 1024

/** What a scan needs from its log. */
export interface ScanHost {
  readonly disk: Disk["Service"]
  readonly epoch: number
  readonly segments: Segments
}

/**
 * Receives the records in order; returns whether the scan goes on, or steps with that result: other work has its turn between two steps.
 * The bytes are valid until then.
 */
export type EachRecord = (header: LogHeader, frames: Buffer) => boolean | Iterator<void, boolean, void>

/** How a scan reads. */
export interface ScanReading {
  /** Bytes per read, unless a record is larger. Default: 1 MiB. */
  readonly blockBytes?: number
  /** The turns of the steps. Default: other work has its turn only between two reads. */
  readonly turns?: Turns
}

/** Reads the records from the one with the message `from`, or the next that exists, on. */
export const scan = (
  host: ScanHost,
  from: number,
  each: EachRecord,
  options: ScanReading = {}
): Effect.Effect<void, DiskError> =>
  Effect.gen(function*() {
    let next = from
    while (true) {
      const segment = host.segments.find(next)
      if (segment === undefined) return
      const goesOn = yield* scanSegment(host, segment, next, each, options)
      if (!goesOn) return
      next = Math.max(next + 1, segment.end)
    }
  })

const scanSegment = (
  { disk, epoch }: ScanHost,
  segment: Segment,
  from: number,
  each: EachRecord,
  options: ScanReading
): Effect.Effect<boolean, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(segment.path),
    (file) => scanFile(file, segment, epoch, from, each, options),
    (file) => file.close
  ).pipe(
    // It was removed, because all channels have finished it.
    Effect.catchIf(({ code }) => code === "ENOENT", () => Effect.succeed(true))
  )

const scanFile = Effect.fnUntraced(function*(
  file: DiskFile,
  segment: Segment,
  epoch: number,
  from: number,
  each: EachRecord,
  { blockBytes = usualBlockBytes, turns = unlimited }: ScanReading
): Effect.fn.Return<boolean, DiskError> {
  let { position, sequence: expected } = segment.before(from)
  let block = Buffer.allocUnsafeSlow(blockBytes)
  while (expected < segment.end) {
    const count = yield* file.read(block, position)
    // Many scans share a round of the event loop.
    if (turns.isOver()) yield* turns.next
    const bytes = block.subarray(0, count)
    let at = 0
    let wanted = 0
    while (at + logHeaderSize <= count) {
      const header = readLogHeader(bytes, at, epoch)
      if (header === undefined || header.first < expected || header.first >= segment.end) {
        // Damage, zeros, or records of the file's earlier life.
        const behind = findLogHeader(bytes, at + 1, epoch)
        at = behind < 0 ? Math.max(at + 1, count - logHeaderSize + 1) : behind
        continue
      }
      const end = at + logHeaderSize + header.payloadBytes
      if (end > count) {
        wanted = end - at
        break
      }
      segment.note(header.first, position + at)
      expected = header.first + header.count
      if (expected > from) {
        const goesOn = each(header, bytes.subarray(at + logHeaderSize, end))
        if (!(typeof goesOn === "boolean" ? goesOn : yield* finish(turns, goesOn))) return false
      }
      at = end
    }
    if (count < block.length) return true
    if (wanted > block.length) block = Buffer.allocUnsafeSlow(wanted)
    position += at
  }
  return true
})
