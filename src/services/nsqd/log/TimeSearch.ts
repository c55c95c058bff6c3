/**
 * Finds the place of a time in a log: by binary search among the segments, then in the index of one of them, and by reading the records
 * from there on. A log takes about 20 short reads, whatever its size, and a part of a segment that nothing has indexed yet one read for
 * every 64 KiB, after which it is indexed.
 *
 * Messages have the order of publishing, and so do their times unless the wall clock was set back.
 */
import { Effect } from "effect"
import { frameMillis } from "../../../protocol/client/FrameFields.ts"
import { intactStarts, type LogHeader, logHeaderSize, readLogHeader } from "../../../protocol/storage/LogRecord.ts"
import type { DiskError } from "../disk/Disk.ts"
import { scan, type ScanHost } from "./LogScan.ts"
import type { Segment } from "./Segment.ts"

/** Bytes per read of records: the distance of two entries of the index. */
const blockBytes = 64 * 1024

/** Whether the message at a position of the frames is passed over whatever its age. */
export type IsOver = (frames: Buffer, position: number) => boolean

/**
 * The sequence of the first message of a record that was accepted from `millis` on and is not over, or the one behind it. The time in its
 * header is that of its first message: the others were published while the commit before was written, or come from a disk queue. A damaged
 * record waits for the channel, which reports it.
 */
export const firstSince = (header: LogHeader, frames: Buffer, millis: number, isOver?: IsOver): number => {
  const { acceptedAt, count, first } = header
  if (acceptedAt >= millis && isOver === undefined) return first
  const starts = intactStarts(header, frames)
  if (starts === undefined) return first
  const isDone = (position: number): boolean =>
    frameMillis(frames, position) < millis || isOver?.(frames, position) === true
  let index = 0
  while (index < count && isDone(starts[index]!)) index++
  return first + index
}

/**
 * The sequence of the first message that was accepted from `millis` on, in ms since the Unix epoch; `end` without such a message.
 * `startOf` returns the time of a segment's first message. The search goes back from a segment that cannot tell it: a kill may have left
 * the segment before its first record.
 */
export const sequenceAt = (
  host: ScanHost,
  millis: number,
  startOf: (segment: Segment) => Effect.Effect<number | undefined, DiskError>,
  end: number
): Effect.Effect<number, DiskError> =>
  Effect.gen(function*() {
    const { all } = host.segments
    const low = yield* firstFrom(all.length, millis, (index) => startOf(all[index]!))
    const before = all[Math.max(0, low - 1)]
    if (before === undefined) return end
    const from = yield* indexedBefore(host, before, millis)
    let found = end
    /** The record in front of it, which may have messages of the time as well. */
    let last: number | undefined
    yield* scan(host, from, (header) => {
      if (header.acceptedAt < millis) {
        last = header.first
        return true
      }
      found = header.first
      return false
    }, { blockBytes })
    if (last === undefined) return found
    yield* scan(host, last, (header, frames) => {
      const since = firstSince(header, frames, millis)
      if (since < header.first + header.count) found = since
      return false
    }, { blockBytes })
    return found
  })

/** The sequence of the last record in the index of a segment that begins before `millis`; of its first record without one. */
const indexedBefore = (
  { disk, epoch }: ScanHost,
  segment: Segment,
  millis: number
): Effect.Effect<number, DiskError> => {
  const header = Buffer.alloc(logHeaderSize)
  return Effect.acquireUseRelease(
    disk.open(segment.path),
    (file) =>
      Effect.map(
        firstFrom(segment.indexed, millis, (entry) =>
          Effect.map(
            file.read(header, segment.indexedAt(entry).position),
            (count) => readLogHeader(header.subarray(0, count), 0, epoch)?.acceptedAt
          )),
        (entry) => entry === 0 ? segment.first : segment.indexedAt(entry - 1).sequence
      ),
    (file) => file.close
  ).pipe(
    // It was removed, because all channels have finished it.
    Effect.catchIf(({ code }) => code === "ENOENT", () => Effect.succeed(segment.first))
  )
}

/** The first of `count` places whose time is `millis` or later, or is not known; `count` if all are earlier. */
const firstFrom = <E>(
  count: number,
  millis: number,
  timeOf: (index: number) => Effect.Effect<number | undefined, E>
): Effect.Effect<number, E> =>
  Effect.gen(function*() {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >> 1
      if (((yield* timeOf(middle)) ?? Infinity) < millis) low = middle + 1
      else high = middle
    }
    return low
  })
