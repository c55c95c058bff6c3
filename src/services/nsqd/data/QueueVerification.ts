/**
 * Verifies a disk queue: every record of its data files, with its checksum where there is one, the state file and NSQ's metadata.
 * Reads only; the positions are those that nsqd would find at its start.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { recordHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import {
  checksumFileName,
  dataFileName,
  decodeQueueMetadata,
  metadataFileName,
  type QueuePosition,
  stateFileName
} from "../../../protocol/storage/DiskQueueFormat.ts"
import type { QueueState } from "../../../protocol/storage/QueueState.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { RecordRun } from "../storage/BackendQueue.ts"
import type { QueueInventory } from "../storage/QueueInventory.ts"
import { type OpenReader, QueueReader } from "../storage/QueueReader.ts"
import { type RecoveredQueue, recoverQueue } from "../storage/QueueRecovery.ts"
import { isPaired, type LoadedState, StateFile } from "../storage/StateFile.ts"
import type { Findings } from "./DataReport.ts"
import { Counted } from "./LogContents.ts"

/** Bytes per read, unless a record is larger. */
const readBytes = 1024 * 1024

/** The queue to verify. */
export interface VerifiedQueue {
  readonly dataPath: string
  /** `topic` or `topic:channel`. */
  readonly name: string
  readonly inventory: QueueInventory
  /** Larger records are damage, as for nsqd. */
  readonly maxMsgSize: number
}

/** A part of a data file between two record boundaries. */
interface Span {
  readonly from: number
  readonly to: number
  readonly isUnfinished: boolean
}

/** Receives the unfinished messages of a queue in order. */
export type EachRun = (run: RecordRun) => Effect.Effect<void, StorageError>

/** Verifies the queue, passes its unfinished messages to `each`, and returns how many they are. */
export const verifyQueue = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  queue: VerifiedQueue,
  findings: Findings,
  each: EachRun
): Effect.fn.Return<Counted, DiskError | StorageError> {
  const { dataPath, inventory, maxMsgSize, name } = queue
  const dataPathOf = (file: number) => Path.join(dataPath, dataFileName(name, file))
  const loaded = yield* loadState(disk, queue, findings)
  const found = yield* recoverQueue(disk, name, dataPathOf, maxMsgSize, inventory, loaded)
  // nsqd removes the checksums of files that another program has written.
  const sumsPathOf = (file: number) => found.trustsChecksums ? Path.join(dataPath, checksumFileName(name, file)) : ""
  const reader = new QueueReader(disk, { data: dataPathOf, sums: sumsPathOf }, maxMsgSize)
  const counted = new Counted()
  const before = findings.damages.length
  /** Files that cannot be read: how many messages they have is known only from the depth. */
  const unreadable: Array<{ readonly file: number; readonly description: string }> = []
  const verified = Effect.forEach(inventory.data, (file) =>
    verifyFile(reader, file, dataPathOf(file), found, counted, findings, each).pipe(
      Effect.catchTag("DiskError", (error) => Effect.sync(() => void unreadable.push({ file, description: error.message })))
    ), { discard: true })
  yield* Effect.ensuring(verified, reader.close())
  const reported = findings.damages.slice(before).reduce((sum, { messagesLost }) => sum + messagesLost, 0)
  let unaccounted = Math.max(0, found.depth - counted.messages - reported)
  const missing = firstMissing(inventory, loaded)
  // NSQ's nsqd may leave a wrong depth, and a queue that was emptied a gap between two files.
  if (missing !== undefined && unaccounted > 0) unreadable.push({ file: missing, description: "the file is missing" })
  for (const { description, file } of unreadable) {
    findings.damage(dataPathOf(file), 0, unaccounted, description)
    unaccounted = 0
  }
  return counted
})

const loadState = Effect.fnUntraced(function*(
  disk: Disk["Service"],
  { dataPath, inventory, name }: VerifiedQueue,
  findings: Findings
): Effect.fn.Return<LoadedState, DiskError> {
  const file = new StateFile(disk, dataPath, name)
  const statePath = Path.join(dataPath, stateFileName(name))
  const { metadata, state } = yield* Effect.fromResult(file.load(inventory))
  if (inventory.hasState && state === undefined && (yield* isWritten(disk, statePath))) {
    findings.damage(statePath, 0, 0, "neither of its states is valid: finished messages are delivered again")
  }
  let exact: QueueState | undefined = state
  if (state?.isExtended === true) {
    exact = yield* file.extended(state)
    if (exact.unsettled === state.unsettled) {
      findings.damage(statePath, 0, 0, "its extension is not valid: finished messages are delivered again")
    }
  }
  const loaded: LoadedState = { metadata, state: exact }
  if (metadata !== undefined && !isPaired(loaded)) {
    const decoded = decodeQueueMetadata(metadata)
    const path = Path.join(dataPath, metadataFileName(name))
    if (decoded === undefined) findings.damage(path, 0, 0, "not three lines of numbers")
    else if (isBefore(decoded.write, decoded.read)) findings.damage(path, 0, 0, "read position beyond the write position")
  }
  return loaded
})

const isBefore = (a: QueuePosition, b: QueuePosition): boolean =>
  a.file < b.file || (a.file === b.file && a.offset < b.offset)

/** Whether a state file has other bytes than zeros: a crash may leave one that was never written. */
const isWritten = (disk: Disk["Service"], path: string): Effect.Effect<boolean, DiskError> =>
  Effect.map(
    Effect.fromResult(disk.readStart(path, 4096)),
    (found) => found?.bytes.some((byte) => byte !== 0) === true
  )

/** The first data file of the recorded positions that does not exist. */
const firstMissing = ({ data }: QueueInventory, loaded: LoadedState): number | undefined => {
  const { metadata, state } = loaded
  const paired = isPaired(loaded) ? state : undefined
  const saved = paired ?? decodeQueueMetadata(metadata ?? "")
  if (saved === undefined) return undefined
  const present = new Set(data)
  const files = paired?.unsettled.map(({ file }) => file) ?? []
  const last = saved.write.offset > 0 ? saved.write.file : saved.write.file - 1
  // A wrong number in the metadata must not make this loop long.
  const most = Math.min(last, saved.read.file + data.length)
  for (let file = saved.read.file; file <= most; file++) files.push(file)
  return files.find((file) => !present.has(file))
}

/** The finished and unfinished parts of a data file, in order. */
const spansOf = (file: number, size: number, { read, torn, unsettled, write }: RecoveredQueue): ReadonlyArray<Span> => {
  const end = torn?.file === file ? torn.offset : file === write.file ? Math.min(size, write.offset) : size
  const unfinished = unsettled
    .filter((range) => range.file === file)
    .map(({ from, to }) => ({ from, to: Math.min(to, end) }))
  if (file > read.file) unfinished.push({ from: 0, to: end })
  else if (file === read.file) unfinished.push({ from: read.offset, to: end })
  const spans: Array<Span> = []
  let at = 0
  for (const { from, to } of unfinished.toSorted((a, b) => a.from - b.from)) {
    if (from > at) spans.push({ from: at, to: from, isUnfinished: false })
    if (to > Math.max(from, at)) spans.push({ from: Math.max(from, at), to, isUnfinished: true })
    at = Math.max(at, to)
  }
  if (end > at) spans.push({ from: at, to: end, isUnfinished: false })
  return spans
}

const verifyFile = Effect.fnUntraced(function*(
  reader: QueueReader,
  file: number,
  path: string,
  found: RecoveredQueue,
  counted: Counted,
  findings: Findings,
  each: EachRun
): Effect.fn.Return<void, DiskError | StorageError> {
  const opened = yield* reader.fileFor(file)
  const size = yield* reader.sizeOf(opened)
  const spans = spansOf(file, size, found)
  for (const span of spans) yield* verifySpan(reader, opened, path, span, counted, findings, each)
  const last = spans.at(-1)
  const end = last?.to ?? 0
  if (end < size && found.torn?.file === file) findings.note(path, end, "incomplete record, which was never acknowledged")
  if (!found.trustsChecksums) return
  const missing = yield* reader.missingFrom(opened, end)
  if (missing > 0) findings.damage(path, end, last?.isUnfinished === false ? 0 : missing, "the file is too short")
})

const verifySpan = Effect.fnUntraced(function*(
  reader: QueueReader,
  opened: OpenReader,
  path: string,
  span: Span,
  counted: Counted,
  findings: Findings,
  each: EachRun
): Effect.fn.Return<void, DiskError | StorageError> {
  for (let at = span.from; at < span.to;) {
    const result = yield* reader.read(opened, at, span.to, readBytes, Infinity)
    if (result._tag === "Damage") {
      const next = Math.min(result.next, span.to)
      // A record without a checksum counts as one message.
      const lost = span.isUnfinished ? Math.max(1, yield* reader.lostBetween(opened, at, next)) : 0
      findings.damage(path, at, lost, result.problem)
      at = next
      continue
    }
    const { starts } = result
    const count = starts.length - 1
    if (span.isUnfinished) {
      counted.messages += count
      counted.bytes += starts[count]! - count * recordHeaderSize
      yield* each({ bytes: result.bytes, start: 0, end: starts[count]!, count })
    }
    at += starts[count]!
  }
})
