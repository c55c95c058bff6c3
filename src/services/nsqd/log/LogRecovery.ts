/**
 * Finds what an earlier process has left of a log: the segments, where the last one ends, and the state of the channels.
 *
 * Only the last segment is read. A record that cannot be read there is either the end that a crash has left incomplete, or
 * damage: if a later record says that everything below it was durable, it is damage. The incomplete end was never acknowledged
 * and is cut off.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseLogFileName, segmentFileName } from "../../../protocol/storage/LogFiles.ts"
import {
  findLogHeader,
  isIntact,
  logEpochOf,
  logHeaderSize,
  readLogHeader
} from "../../../protocol/storage/LogRecord.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import * as Filling from "./Filling.ts"
import type { RecoveredState } from "./RecoveredState.ts"
import { Segment, Segments } from "./Segment.ts"
import { StateFile } from "./StateFile.ts"

/** A range of sequences. */
export interface SequenceRange {
  readonly from: number
  readonly to: number
}

/** What recovery has found. */
export interface RecoveredLog {
  /** The random number of the log; `undefined` if the log is new. */
  readonly epoch: number | undefined
  readonly segments: Segments
  /** The sequence after the last message. */
  readonly end: number
  /** The last segment, if it can be written further, and where its records end. */
  readonly tail: { readonly segment: Segment; readonly size: number } | undefined
  readonly state: RecoveredState
  readonly generation: number
  /** Messages that were acknowledged and cannot be read. */
  readonly lost: ReadonlyArray<SequenceRange>
  /** The last message, if it was read, as a frame. */
  readonly lastFrame: Buffer | undefined
  /** The deferred messages of the segment that was read. */
  readonly deferred: ReadonlyArray<DeferredRange>
  /** What is to be logged. */
  readonly reports: ReadonlyArray<string>
}

/** Messages that were published together, and their due time in ms since the Unix epoch. */
export interface DeferredRange {
  readonly first: number
  /** The sequence after the last one. */
  readonly end: number
  readonly due: number
}

interface Walk {
  readonly end: number
  readonly size: number
  readonly lost: ReadonlyArray<SequenceRange>
  readonly lastFrame: Buffer | undefined
  readonly deferred: ReadonlyArray<DeferredRange>
  readonly isTorn: boolean
}

/** Reads the log in `directory`, which must exist. */
export const recoverLog = (disk: Disk["Service"], directory: string): Effect.Effect<RecoveredLog, DiskError> =>
  Effect.gen(function*() {
    const names = yield* Filling.discardIncomplete(disk, directory, yield* disk.list(directory))
    for (const name of names) if (name.endsWith(".tmp")) yield* disk.remove(Path.join(directory, name))
    const { damage, generation, state } = yield* StateFile.load(disk, directory, names)
    const firsts = names.flatMap((name) => {
      const file = parseLogFileName(name)
      return file?.kind === "segment" ? [file.number] : []
    }).sort((a, b) => a - b)
    const segments = new Segments()
    firsts.forEach((first, index) => {
      const segment = new Segment(first, Path.join(directory, segmentFileName(first)))
      segment.end = firsts[index + 1] ?? Infinity
      segments.add(segment)
    })
    const reports = [...damage]
    const epoch = state.logEpoch ?? (yield* epochOfSegments(disk, segments.all))
    const { last } = segments
    if (last === undefined || epoch === undefined) {
      return {
        epoch,
        segments: new Segments(),
        end: state.end,
        tail: undefined,
        state,
        generation,
        lost: [],
        lastFrame: undefined,
        deferred: [],
        reports
      }
    }
    const bytes = yield* readFile(disk, last.path)
    const walk = walkSegment(bytes, last, epoch)
    if (walk.isTorn) reports.push(`${last.path}: cut off an incomplete record at ${walk.size}`)
    for (const { from, to } of walk.lost) {
      reports.push(`${last.path} is damaged: ${to - from} messages from ${from} on are lost`)
    }
    last.size = walk.size
    last.end = walk.end
    // Channels have finished messages that are not in the log: its end was lost.
    const known = state.end
    const lost = known > walk.end ? [...walk.lost, { from: walk.end, to: known }] : walk.lost
    return {
      epoch,
      segments,
      end: Math.max(walk.end, known),
      // Sequences in a segment have no gaps that its state does not explain: a new one begins behind a gap.
      tail: known > walk.end ? undefined : { segment: last, size: walk.size },
      state,
      generation,
      lost,
      lastFrame: walk.lastFrame,
      deferred: walk.deferred,
      reports
    }
  })

const readFile = (disk: Disk["Service"], path: string): Effect.Effect<Buffer, DiskError> =>
  Effect.acquireUseRelease(
    disk.open(path),
    (file) =>
      Effect.gen(function*() {
        const bytes = Buffer.allocUnsafeSlow(yield* file.size)
        return bytes.subarray(0, yield* file.read(bytes, 0))
      }),
    (file) => file.close
  )

/** The epoch of the newest segment that has one, for a log without readable state. */
const epochOfSegments = (
  disk: Disk["Service"],
  segments: ReadonlyArray<Segment>
): Effect.Effect<number | undefined, DiskError> =>
  Effect.gen(function*() {
    for (const segment of segments.toReversed()) {
      const epoch = logEpochOf(yield* readFile(disk, segment.path))
      if (epoch !== undefined) return epoch
    }
    return undefined
  })

const walkSegment = (bytes: Buffer, segment: Segment, epoch: number): Walk => {
  const lost: Array<SequenceRange> = []
  const deferred: Array<DeferredRange> = []
  let lastFrame: Buffer | undefined
  let expected = segment.first
  let at = 0
  for (;;) {
    const header = readLogHeader(bytes, at, epoch)
    const end = header === undefined ? 0 : at + logHeaderSize + header.payloadBytes
    const frames = header !== undefined && header.first >= expected && end <= bytes.length
      ? bytes.subarray(at + logHeaderSize, end)
      : undefined
    if (header !== undefined && frames !== undefined && isIntact(header, frames)) {
      if (header.first > expected) lost.push({ from: expected, to: header.first })
      segment.note(header.first, at)
      lastFrame = lastOf(frames, header.count)
      expected = header.first + header.count
      if (header.due > 0) deferred.push({ first: header.first, end: expected, due: header.due })
      at = end
      continue
    }
    const next = findDurable(bytes, at + 1, epoch, expected)
    if (next < 0) {
      return { end: expected, size: at, lost, lastFrame, deferred, isTorn: isTorn(bytes, at, epoch, expected) }
    }
    at = next
  }
}

/** The next record that was written after the message `expected` had become durable; -1 if there is none. */
const findDurable = (bytes: Buffer, from: number, epoch: number, expected: number): number => {
  for (let at = findLogHeader(bytes, from, epoch); at >= 0; at = findLogHeader(bytes, at + 1, epoch)) {
    const header = readLogHeader(bytes, at, epoch)
    if (header !== undefined && header.first > expected && header.durable > expected) return at
  }
  return -1
}

/** Whether an incomplete record starts at `at`; otherwise zeros do, or a record of the file's earlier life, with lower sequences. */
const isTorn = (bytes: Buffer, at: number, epoch: number, expected: number): boolean => {
  const next = findLogHeader(bytes, at, epoch)
  const header = next < 0 ? undefined : readLogHeader(bytes, next, epoch)
  return header === undefined ? !isZero(bytes.subarray(at)) : next === at && header.first >= expected
}

const zeros = Buffer.alloc(64 * 1024)

/** Whether the bytes are those that a segment is filled with ahead of its records. */
const isZero = (bytes: Buffer): boolean => {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const piece = bytes.subarray(at, at + zeros.length)
    if (!piece.equals(zeros.subarray(0, piece.length))) return false
  }
  return true
}

const lastOf = (frames: Buffer, count: number): Buffer => {
  let at = 0
  for (let i = 1; i < count; i++) at += frames.readInt32BE(at) + 4
  return frames.subarray(at)
}
