/**
 * Verifies the durable log of a topic: every record of its segments and every block of its state files. Reads only.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { fillingFileName, parseLogFileName, segmentFileName, stateFileName } from "../../../protocol/storage/LogFiles.ts"
import type { LogHeader } from "../../../protocol/storage/LogRecord.ts"
import { decodeLogState } from "../../../protocol/storage/LogState.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import type { StorageError } from "../disk/StorageError.ts"
import { RecoveredState } from "../log/RecoveredState.ts"
import { epochOfFile } from "../log/SegmentRecovery.ts"
import { readStateBlocks } from "../log/StateBlocks.ts"
import { loadState } from "../log/StateLoading.ts"
import type { Findings } from "./DataReport.ts"
import { LogContents } from "./LogContents.ts"
import { walkSegment, type WalkedSegment } from "./SegmentWalk.ts"

/** Receives the intact records of a log. */
export type EachRecord = (contents: LogContents, header: LogHeader, frames: Buffer) => Effect.Effect<void, StorageError>

/**
 * Verifies the log in `directory` and returns its contents; `now` is in ms since the Unix epoch. Passes each intact record to
 * `each`.
 */
export const verifyLog = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  directory: string,
  now: number,
  findings: Findings,
  each: EachRecord
): Effect.fn.Return<LogContents, DiskError | StorageError> {
  const names = yield* disk.list(directory)
  if (names.includes(fillingFileName)) {
    findings.note(directory, 0, "incomplete log: the disk queues have its messages")
    return new LogContents(new RecoveredState(), 1, now)
  }
  const numbers = (kind: "segment" | "state") =>
    names.flatMap((name) => {
      const file = parseLogFileName(name)
      return file?.kind === kind ? [file.number] : []
    }).sort((a, b) => a - b)
  const generations = numbers("state")
  let hasCheckpoint = false
  for (const generation of generations) {
    hasCheckpoint = (yield* verifyState(disk, Path.join(directory, stateFileName(generation)), findings)) || hasCheckpoint
  }
  if (generations.length > 0 && !hasCheckpoint) findings.damage(directory, 0, 0, "no state file has a complete checkpoint")
  const { state } = yield* loadState(disk, directory, names)
  const firsts = numbers("segment")
  const segments = firsts.map((first, i): WalkedSegment => ({
    path: Path.join(directory, segmentFileName(first)),
    first,
    end: firsts[i + 1] ?? Infinity
  }))
  const contents = new LogContents(state, firsts[0] ?? state.end, now)
  if (generations.length === 0 && segments.length > 0) {
    findings.damage(directory, 0, 0, "the state of the channels is missing")
  }
  yield* verifySegments(disk, directory, segments, state, contents, findings, each)
  return contents
})

const verifySegments = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  directory: string,
  segments: ReadonlyArray<WalkedSegment>,
  state: RecoveredState,
  contents: LogContents,
  findings: Findings,
  each: EachRecord
): Effect.fn.Return<void, DiskError | StorageError> {
  /** Messages that no channel needs may be missing: after a failed write their sequences are not used again. */
  const missing = (path: string, position: number, from: number, to: number, description: string): void => {
    const lost = from < to ? contents.needed(from, to) : 0
    if (lost > 0) findings.damage(path, position, lost, description)
  }
  const start = Math.min(contents.floor, state.end)
  const first = segments[0]?.first ?? state.end
  missing(directory, 0, start, first, `segments with the messages from ${start} to ${first - 1} are missing`)
  const epoch = state.logEpoch ?? (yield* epochOf(disk, segments))
  for (const segment of segments) {
    const { path } = segment
    const isLast = segment.end === Infinity
    const walked = yield* walkSegment(disk, segment, epoch ?? 0, {
      record: (header, frames) => {
        contents.add(header, frames)
        return each(contents, header, frames)
      },
      damage: (position, from, to) => findings.damage(path, position, contents.needed(from, to), "damaged record"),
      gap: (position, from, to) => missing(path, position, from, to, `the messages from ${from} to ${to - 1} are missing`)
    }).pipe(Effect.catchTag("DiskError", (error) => {
      findings.damage(path, 0, isLast ? 0 : contents.needed(segment.first, segment.end), error.message)
      return Effect.undefined
    }))
    if (walked === undefined || !isLast) continue
    const { behind, end, isTorn, size } = walked
    if (behind > end) {
      const lost = contents.needed(end, Math.max(behind, state.end))
      findings.damage(path, size, lost, "damaged record: nsqd cuts it off with those behind it")
      continue
    }
    if (isTorn) findings.note(path, size, "incomplete record, which was never acknowledged")
    missing(path, size, end, state.end, `the messages from ${end} to ${state.end - 1} are missing`)
  }
})

const epochOf = Effect.fnUntraced(function*(disk: Disk["Service"], segments: ReadonlyArray<WalkedSegment>) {
  for (const { path } of segments.toReversed()) {
    const epoch = yield* epochOfFile(disk, path)
    if (epoch !== undefined) return epoch
  }
  return undefined
})

/** Verifies the blocks of a state file; returns whether its checkpoint is complete. */
const verifyState = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  path: string,
  findings: Findings
): Effect.fn.Return<boolean, DiskError> {
  const { hasStart, holes, isComplete, size } = yield* readStateBlocks(disk, path, ({ changes }, position) => {
    if (!decodeLogState(changes, new RecoveredState())) findings.damage(path, position, 0, "unknown changes")
    return true
  })
  if (!hasStart) findings.damage(path, 0, 0, "no valid checkpoint")
  const isUnfinished = hasStart && !isComplete && holes.every(({ to }) => to === size)
  if (isUnfinished) findings.note(path, size, "incomplete checkpoint, whose rest is in the file before")
  for (const { from, isZero, to } of holes) {
    if (from === 0) continue
    if (to < size) findings.damage(path, from, 0, "damaged changes: what only they call finished is delivered again")
    else if (!isZero) findings.note(path, from, "incomplete changes, which a crash or a failed write has left")
  }
  return isComplete
})
