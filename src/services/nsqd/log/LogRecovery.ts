/**
 * Finds what an earlier process has left of a log: the segments, where the last one ends, and the state of the channels.
 *
 * Only the last segment is read: it alone can have records that a crash has left incomplete.
 */
import { Effect, Schedule } from "effect"
import * as Path from "node:path"
import { parseLogFileName, segmentFileName } from "../../../protocol/storage/LogFiles.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import * as Filling from "./Filling.ts"
import { type IssuedId, laterId } from "./LogCommits.ts"
import type { RecoveredState } from "./RecoveredState.ts"
import { Segment, Segments } from "./Segment.ts"
import { type DeferredRange, epochOfFile, recoverSegment, type SequenceRange } from "./SegmentRecovery.ts"
import { loadState, type StateGenerations } from "./StateLoading.ts"

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
  readonly generations: StateGenerations
  /** Messages that do not exist and that the state does not know to be missing. */
  readonly lost: ReadonlyArray<SequenceRange>
  /** The last message id; `undefined` without messages. */
  readonly lastIssued: IssuedId | undefined
  /** Whether messages may have headers: some of the segment that was read have them, or there are other segments. */
  readonly hasHeaders: boolean
  /** The deferred messages of the segment that was read and that were not handed over. */
  readonly deferred: ReadonlyArray<DeferredRange>
  /** What was logged. */
  readonly reports: ReadonlyArray<string>
}

/**
 * Attempts to read a log at the start, over about three seconds. A start without the unreadable messages would lose them, so that
 * it fails after the last one.
 */
const startRetries = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 5 }))

/** Reads the log in `directory`, which must exist, and logs what is wrong with it. `label` is its name in log lines. */
export const recoverLog = (
  disk: Disk["Service"],
  directory: string,
  label: string
): Effect.Effect<RecoveredLog, DiskError> =>
  readLog(disk, directory).pipe(
    Effect.tapError((error) => Effect.logWarning(`${label}: failed to read - ${error.message}`)),
    Effect.retry({ schedule: startRetries, while: ({ code }) => code === "EIO" }),
    Effect.tap(({ reports }) =>
      Effect.forEach(reports, (report) => Effect.logWarning(`${label}: ${report}`), { discard: true })
    )
  )

const readLog = (disk: Disk["Service"], directory: string): Effect.Effect<RecoveredLog, DiskError> =>
  Effect.gen(function*() {
    const names = yield* Filling.discardIncomplete(disk, directory, yield* disk.list(directory))
    for (const name of names) if (name.endsWith(".tmp")) yield* disk.remove(Path.join(directory, name))
    const { damage, generations, isIncomplete, state } = yield* loadState(disk, directory, names)
    const firsts = names.flatMap((name) => {
      const file = parseLogFileName(name)
      return file?.kind === "segment" ? [file.number] : []
    }).sort((a, b) => a - b)
    const segments = new Segments()
    const { gaps } = state
    firsts.forEach((first, index) => {
      const segment = new Segment(first, Path.join(directory, segmentFileName(first)))
      const next = firsts[index + 1] ?? Infinity
      // A segment behind it was removed, or a write behind it has failed.
      const gap = gaps.find(({ from, to }) => from < next && next <= to)
      segment.end = gap === undefined ? next : Math.max(first, gap.from)
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
        generations,
        lost: [],
        lastIssued: state.lastIssued,
        hasHeaders: false,
        deferred: [],
        reports
      }
    }
    // All messages of a topic without channels still wait, whether or not its state says so yet; and a channel that damaged
    // changes have created must find its messages when it is created again.
    const waitsFromStart = isIncomplete || (state.heldFrom === undefined && state.channels.length === 0)
    const heldFrom = waitsFromStart ? firsts[0] : state.heldFrom
    const recovered = yield* recoverSegment(disk, last, epoch, heldFrom ?? Infinity)
    const { deferred, end, hasHeaders, holes, isTorn, size } = recovered
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
    return {
      epoch,
      segments,
      end: Math.max(end, known),
      handedTo: heldFrom ?? Math.max(end, known),
      // Sequences in a segment have no gaps that its state does not explain: a new one begins behind a gap.
      tail: { segment: last, size, continues: known <= end },
      state,
      generations,
      lost,
      hasHeaders: hasHeaders || segments.all.length > 1,
      deferred,
      lastIssued: laterId(
        state.lastIssued,
        recovered.lastId ?? (yield* lastIdOf(disk, segments.all.slice(0, -1), epoch))
      ),
      reports
    }
  })

/** The epoch of the newest segment that has one, for a log without readable state. */
const epochOfSegments = (
  disk: Disk["Service"],
  segments: ReadonlyArray<Segment>
): Effect.Effect<number | undefined, DiskError> =>
  Effect.gen(function*() {
    for (const { path } of segments.toReversed()) {
      const epoch = yield* epochOfFile(disk, path)
      if (epoch !== undefined) return epoch
    }
    return undefined
  })

/** The last message id in the segments. */
const lastIdOf = (
  disk: Disk["Service"],
  segments: ReadonlyArray<Segment>,
  epoch: number | undefined
): Effect.Effect<IssuedId | undefined, DiskError> =>
  Effect.gen(function*() {
    for (const segment of segments.toReversed()) {
      const { lastId } = yield* recoverSegment(disk, segment, epoch, Infinity)
      if (lastId !== undefined) return lastId
    }
    return undefined
  })
