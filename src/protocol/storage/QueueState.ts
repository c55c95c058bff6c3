/**
 * The state of a disk queue beyond NSQ's three lines of metadata: which messages behind the read position are not settled
 * yet. A state file has two slots of fixed size that are written in place by turns, so that one of them is always whole. A
 * slot that has no space for all ranges joins some of them, and has an extension behind the slots with the exact ones.
 * Pure; `services/storage/StateFile` does the reading and writing. docs/operations.md describes it.
 */
import { crc32 } from "node:zlib"
import type { QueuePosition } from "./DiskQueueFormat.ts"

/** Bytes `from` to `to` of a data file: whole records, or records up to the end of the file. */
export interface QueueRange {
  readonly file: number
  readonly from: number
  readonly to: number
}

/** The content of one slot. */
export interface QueueState {
  /** Increases with every write; the slot with the higher number is the newer one. */
  readonly sequence: number
  /** Whether the writer waited until the disk had the slot. */
  readonly isSynced: boolean
  /** Whether the extension of this sequence number has more exact ranges. */
  readonly isExtended: boolean
  /** Messages that are not settled. */
  readonly depth: number
  /** Every message before this position is settled, except for those in `unsettled`. */
  readonly read: QueuePosition
  readonly write: QueuePosition
  /** Ascending, without overlaps. */
  readonly unsettled: ReadonlyArray<QueueRange>
  /**
   * A record starts here, some MiB before `write`: whatever was written shortly before the state was recorded, and whatever
   * was written after it, lies behind. `undefined` in the state of a queue that was closed.
   */
  readonly recent: QueuePosition | undefined
  /**
   * The content of NSQ's metadata file that belongs to this state, an empty string when that file does not exist. If the file
   * has another content, NSQ's nsqd has used the queue since. `undefined` when the content is unknown after a failed write.
   */
  readonly metadata: string | undefined
  /** The content before that: a crash may come between writing the slot and writing NSQ's file. */
  readonly previousMetadata: string | undefined
}

/** Both slots together fill one block of most file systems. */
export const slotSize = 2048
export const slotCount = 2

const magic = 0x4e535153
const version = 1
const textBytes = 128
const unknownText = 0xff
const flagsAt = 42
const syncedFlag = 1
const extendedFlag = 2
const recentFlag = 4
const metadataAt = flagsAt + 1
const previousAt = metadataAt + 1 + textBytes
const rangesAt = previousAt + 1 + textBytes
const rangeBytes = 18
const checksumAt = slotSize - 4

/** Ranges that fit into a slot. */
export const maxRanges = Math.floor((checksumAt - rangesAt - 2) / rangeBytes)

/** Bytes 2031 to 2042, which the ranges leave free. */
const recentAt = rangesAt + 2 + maxRanges * rangeBytes

const write48 = (bytes: Buffer, value: number, at: number): void => {
  bytes.writeUIntBE(value, at, 6)
}

const writeText = (bytes: Buffer, text: string | undefined, at: number): void => {
  bytes[at] = text === undefined ? unknownText : bytes.write(text, at + 1, textBytes, "latin1")
}

const readText = (bytes: Buffer, at: number): string | undefined => {
  const length = bytes[at]!
  return length === unknownText ? undefined : bytes.toString("latin1", at + 1, at + 1 + length)
}

const writeRanges = (bytes: Buffer, ranges: ReadonlyArray<QueueRange>, start: number): void => {
  let at = start
  for (const { file, from, to } of ranges) {
    write48(bytes, file, at)
    write48(bytes, from, at + 6)
    write48(bytes, to, at + 12)
    at += rangeBytes
  }
}

const readRanges = (bytes: Buffer, count: number, start: number): ReadonlyArray<QueueRange> =>
  Array.from({ length: count }, (_, i) => {
    const at = start + i * rangeBytes
    return { file: bytes.readUIntBE(at, 6), from: bytes.readUIntBE(at + 6, 6), to: bytes.readUIntBE(at + 12, 6) }
  })

/** One slot. The state must have at most `maxRanges` ranges (see `fitRanges`). */
export const encodeSlot = (state: QueueState): Buffer => {
  const bytes = Buffer.alloc(slotSize)
  bytes.writeUInt32BE(magic, 0)
  bytes.writeUInt16BE(version, 4)
  write48(bytes, state.sequence, 6)
  write48(bytes, state.depth, 12)
  write48(bytes, state.read.file, 18)
  write48(bytes, state.read.offset, 24)
  write48(bytes, state.write.file, 30)
  write48(bytes, state.write.offset, 36)
  bytes[flagsAt] = (state.isSynced ? syncedFlag : 0) | (state.isExtended ? extendedFlag : 0) |
    (state.recent === undefined ? 0 : recentFlag)
  writeText(bytes, state.metadata, metadataAt)
  writeText(bytes, state.previousMetadata, previousAt)
  bytes.writeUInt16BE(state.unsettled.length, rangesAt)
  writeRanges(bytes, state.unsettled, rangesAt + 2)
  if (state.recent !== undefined) {
    write48(bytes, state.recent.file, recentAt)
    write48(bytes, state.recent.offset, recentAt + 6)
  }
  bytes.writeUInt32BE(crc32(bytes.subarray(0, checksumAt)), checksumAt)
  return bytes
}

/** `undefined` for a slot that is torn, damaged, never written, or of another version. */
export const decodeSlot = (bytes: Buffer): QueueState | undefined => {
  if (bytes.length < slotSize || bytes.readUInt32BE(0) !== magic || bytes.readUInt16BE(4) !== version) return undefined
  if (bytes.readUInt32BE(checksumAt) !== crc32(bytes.subarray(0, checksumAt))) return undefined
  const read48 = (at: number): number => bytes.readUIntBE(at, 6)
  const unsettled = readRanges(bytes, bytes.readUInt16BE(rangesAt), rangesAt + 2)
  return {
    sequence: read48(6),
    isSynced: (bytes[flagsAt]! & syncedFlag) !== 0,
    isExtended: (bytes[flagsAt]! & extendedFlag) !== 0,
    depth: read48(12),
    read: { file: read48(18), offset: read48(24) },
    write: { file: read48(30), offset: read48(36) },
    unsettled,
    recent: (bytes[flagsAt]! & recentFlag) === 0
      ? undefined
      : { file: read48(recentAt), offset: read48(recentAt + 6) },
    metadata: readText(bytes, metadataAt),
    previousMetadata: readText(bytes, previousAt)
  }
}

/** The exact form of a state whose slot had to join ranges. */
export interface StateExtension {
  readonly read: QueuePosition
  readonly unsettled: ReadonlyArray<QueueRange>
}

/** An extension takes at most this many bytes. There are two, by turns, behind the slots. */
export const extensionSize = 80 * 1024
const extensionMagic = 0x4e535158
const extensionCountAt = 24
const extensionRangesAt = 28

/** Ranges that fit into an extension. */
export const maxExtendedRanges = Math.floor((extensionSize - extensionRangesAt - 4) / rangeBytes)

/** Where the extension with that sequence number is in the state file. */
export const extensionOffset = (sequence: number): number => slotCount * slotSize + (sequence % 2) * extensionSize

/** The extension of the slot with that sequence number. It must have at most `maxExtendedRanges` ranges. */
export const encodeExtension = (sequence: number, { read, unsettled }: StateExtension): Buffer => {
  const bytes = Buffer.alloc(extensionRangesAt + unsettled.length * rangeBytes + 4)
  bytes.writeUInt32BE(extensionMagic, 0)
  bytes.writeUInt16BE(version, 4)
  write48(bytes, sequence, 6)
  write48(bytes, read.file, 12)
  write48(bytes, read.offset, 18)
  bytes.writeUInt32BE(unsettled.length, extensionCountAt)
  writeRanges(bytes, unsettled, extensionRangesAt)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

/** `undefined` for one that is torn, damaged, or belongs to another slot. */
export const decodeExtension = (bytes: Buffer, sequence: number): StateExtension | undefined => {
  if (bytes.length < extensionRangesAt + 4 || bytes.readUInt32BE(0) !== extensionMagic) return undefined
  if (bytes.readUInt16BE(4) !== version || bytes.readUIntBE(6, 6) !== sequence) return undefined
  const count = bytes.readUInt32BE(extensionCountAt)
  const end = extensionRangesAt + count * rangeBytes
  if (end + 4 > bytes.length || bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end))) return undefined
  return {
    read: { file: bytes.readUIntBE(12, 6), offset: bytes.readUIntBE(18, 6) },
    unsettled: readRanges(bytes, count, extensionRangesAt)
  }
}

const byPosition = (a: QueueRange, b: QueueRange): number => a.file - b.file || a.from - b.from

/** Joins neighbours in one file whose gap is at most `gap` bytes. `ranges` are sorted. */
const joinWithin = (ranges: ReadonlyArray<QueueRange>, gap: number): Array<QueueRange> => {
  const joined: Array<QueueRange> = []
  for (const range of ranges) {
    const last = joined.at(-1)
    if (last !== undefined && last.file === range.file && range.from - last.to <= gap) {
      joined[joined.length - 1] = { file: last.file, from: last.from, to: Math.max(last.to, range.to) }
    } else joined.push(range)
  }
  return joined
}

/**
 * Sorts ranges and makes at most `limit` of them: the smallest gaps within a file are filled first, and when there are still
 * too many, `read` moves back to the first range that does not fit. Messages may be delivered again, none is left out.
 */
export const fitRanges = (
  ranges: ReadonlyArray<QueueRange>,
  read: QueuePosition,
  limit: number = maxRanges
): { readonly ranges: ReadonlyArray<QueueRange>; readonly read: QueuePosition } => {
  const sorted = joinWithin(ranges.toSorted(byPosition), 0)
  if (sorted.length <= limit) return { ranges: sorted, read }
  const gaps = sorted.flatMap((range, i) => {
    const before = sorted[i - 1]
    return before !== undefined && before.file === range.file ? [range.from - before.to] : []
  }).sort((a, b) => a - b)
  const joined = joinWithin(sorted, gaps[Math.min(sorted.length - limit, gaps.length) - 1] ?? 0)
  const first = joined[limit]
  if (first === undefined) return { ranges: joined, read }
  return { ranges: joined.slice(0, limit), read: { file: first.file, offset: first.from } }
}
