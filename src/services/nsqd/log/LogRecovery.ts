/**
 * Finds what an earlier process has left of a log: the segments, where the last one ends, and the state of the channels.
 *
 * Only the last segment is read: it alone can have records that a crash has left incomplete. All records that can be read are
 * kept. Those between them were not acknowledged or are damaged; a durable mark above them tells which.
 */
import { Effect, Schedule } from "effect"
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
  /** All channels may read the messages below. */
  readonly handedTo: number
  /** The last segment and where its records end; `continues` if the next record belongs there. */
  readonly tail: { readonly segment: Segment; readonly size: number; readonly continues: boolean } | undefined
  readonly state: RecoveredState
  readonly generation: number
  /** Messages that do not exist and that the state does not know to be missing. */
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

interface Hole extends SequenceRange {
  /** Whether the messages were durable. */
  readonly isDamage: boolean
}

interface Walk {
  readonly end: number
  readonly size: number
  readonly holes: ReadonlyArray<Hole>
  readonly lastFrame: Buffer | undefined
  readonly deferred: ReadonlyArray<DeferredRange>
  readonly isTorn: boolean
}

/**
 * Attempts to read a log at the start, over about three seconds. A start without the unreadable messages would lose them, so that
 * it fails after the last one.
 */
const startRetries = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 5 }))

/** Reads the log in `directory`, which must exist. `label` is its name in log lines. */
export const recoverLog = (
  disk: Disk["Service"],
  directory: string,
  label: string
): Effect.Effect<RecoveredLog, DiskError> =>
  readLog(disk, directory).pipe(
    Effect.tapError((error) => Effect.logWarning(`${label}: failed to read - ${error.message}`)),
    Effect.retry({ schedule: startRetries, while: ({ code }) => code === "EIO" })
  )

const readLog = (disk: Disk["Service"], directory: string): Effect.Effect<RecoveredLog, DiskError> =>
  Effect.gen(function*() {
    const names = yield* Filling.discardIncomplete(disk, directory, yield* disk.list(directory))
    for (const name of names) if (name.endsWith(".tmp")) yield* disk.remove(Path.join(directory, name))
    const { damage, generation, isIncomplete, state } = yield* StateFile.load(disk, directory, names)
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
    const epoch = state.logEpoch ?? (yield* epochOfSegments(disk, segments.all))
    const reports = [...damage]
    const { last } = segments
    const known = state.end
    if (last === undefined) {
      const handedTo = state.heldFrom ?? known
      return {
        epoch,
        segments,
        end: known,
        handedTo,
        tail: undefined,
        state,
        generation,
        lost: [],
        lastFrame: undefined,
        deferred: [],
        reports
      }
    }
    const { deferred, end, holes, isTorn, lastFrame, size } = walkSegment(yield* readFile(disk, last.path), last, epoch)
    if (isTorn) reports.push(`${last.path}: cut off an incomplete record at ${size}`)
    for (const { from, isDamage, to } of holes) {
      if (state.isLost(from, to)) continue
      reports.push(
        isDamage
          ? `${last.path} is damaged: ${to - from} messages from ${from} on are lost`
          : `${last.path}: ${to - from} messages from ${from} on are incomplete`
      )
    }
    last.size = size
    last.end = end
    const lost: Array<SequenceRange> = holes.filter(({ from, to }) => !state.isLost(from, to))
    if (known > end && !state.isLost(end, known)) {
      lost.push({ from: end, to: known })
      reports.push(`${last.path} ends before message ${end}, but channels have used messages up to ${known - 1}`)
    }
    // All messages of a topic without channels still wait, whether or not its state says so yet; and a channel that damaged
    // changes have created must find its messages when it is created again.
    const waitsFromStart = isIncomplete || (state.heldFrom === undefined && state.channels.length === 0)
    const handedTo = waitsFromStart ? firsts[0] : state.heldFrom
    return {
      epoch,
      segments,
      end: Math.max(end, known),
      handedTo: handedTo ?? Math.max(end, known),
      // Sequences in a segment have no gaps that its state does not explain: a new one begins behind a gap.
      tail: { segment: last, size, continues: known <= end },
      state,
      generation,
      lost,
      deferred,
      lastFrame: lastFrame ?? (yield* lastFrameOf(disk, segments.all.slice(0, -1), epoch)),
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

/** The last message of the segments: it has the last id. */
const lastFrameOf = (
  disk: Disk["Service"],
  segments: ReadonlyArray<Segment>,
  epoch: number | undefined
): Effect.Effect<Buffer | undefined, DiskError> =>
  Effect.gen(function*() {
    for (const segment of segments.toReversed()) {
      const { lastFrame } = walkSegment(yield* readFile(disk, segment.path), segment, epoch)
      if (lastFrame !== undefined) return lastFrame
    }
    return undefined
  })

/** Finds all records that can be read. Without an epoch no record is valid. */
const walkSegment = (bytes: Buffer, segment: Segment, epoch: number | undefined): Walk => {
  const holes: Array<Hole> = []
  const deferred: Array<DeferredRange> = []
  let lastFrame: Buffer | undefined
  let expected = segment.first
  let size = 0
  if (epoch === undefined) {
    return { end: expected, size, holes, lastFrame, deferred, isTorn: !isZero(bytes) }
  }
  for (let at = 0; at >= 0;) {
    const header = readLogHeader(bytes, at, epoch)
    const end = header === undefined ? 0 : at + logHeaderSize + header.payloadBytes
    if (
      header === undefined || header.first < expected || header.first >= segment.end || end > bytes.length
      || !isIntact(header, bytes.subarray(at + logHeaderSize, end))
    ) {
      at = findLogHeader(bytes, at + 1, epoch)
      continue
    }
    if (header.first > expected) {
      holes.push({ from: expected, to: header.first, isDamage: header.durable > expected })
    }
    segment.note(header.first, at)
    lastFrame = lastOf(bytes.subarray(at + logHeaderSize, end), header.count)
    expected = header.first + header.count
    if (header.due > 0) deferred.push({ first: header.first, end: expected, due: header.due })
    size = end
    at = end
  }
  return { end: expected, size, holes, lastFrame, deferred, isTorn: isTorn(bytes, size, epoch, expected) }
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
