/**
 * The state of a disk queue beyond NSQ's three lines of metadata (docs/protocol/files.md#state-files): the messages before the
 * read position that are not settled yet. A state file has two slots of fixed size, which are written in place alternately, so
 * that one of them is always complete. A slot without space for all ranges joins some of them, and an extension after the slots
 * has the exact ranges. Pure; `services/nsqd/storage/StateFile` reads and writes the file.
 */
import { crc32 } from "node:zlib"
import type { QueuePosition } from "./DiskQueueFormat.ts"

/** Bytes `from` to `to` of a data file: complete records, or records up to the end of the file. */
export interface QueueRange {
  readonly file: number
  readonly from: number
  readonly to: number
}

/** The content of one slot. */
export interface QueueState {
  /** Increases with every write; the slot with the higher number is newer. */
  readonly sequence: number
  /** Whether the writer synced the slot to disk. */
  readonly isSynced: boolean
  /** Whether an extension with this sequence number has the exact ranges. */
  readonly isExtended: boolean
  /** Number of messages that are not settled. */
  readonly depth: number
  /** Every message before this position is settled, except for those in `unsettled`. */
  readonly read: QueuePosition
  readonly write: QueuePosition
  /** Ascending, without overlaps. */
  readonly unsettled: ReadonlyArray<QueueRange>
  /**
   * The start of a record some MiB before `write`: all records written shortly before the state was recorded, or after it, are
   * at or after this position. `undefined` in the state of a closed queue.
   */
  readonly recent: QueuePosition | undefined
  /**
   * The content of NSQ's metadata file that belongs to this state; an empty string if that file does not exist. If the file
   * has another content, NSQ's nsqd has used the queue since. `undefined` if the content is unknown after a failed write.
   */
  readonly metadata: string | undefined
  /** The content before that, because a crash can occur between writing the slot and writing NSQ's file. */
  readonly previousMetadata: string | undefined
}

/** Size of a slot in bytes. Both slots fill one block of most file systems. */
export const slotSize = 2048
/** Number of slots in a state file. */
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

/** The maximum number of ranges in a slot. */
export const maxRanges = Math.floor((checksumAt - rangesAt - 2) / rangeBytes)

/** Bytes 2031 to 2042, after the ranges. */
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

/** Encodes a slot. The state must have at most `maxRanges` ranges (see `fitRanges`). */
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

/** Decodes a slot; returns `undefined` if it is torn, damaged, never written, or of another version. */
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

/** The exact ranges of a state whose slot had to join some. */
export interface StateExtension {
  readonly read: QueuePosition
  readonly unsettled: ReadonlyArray<QueueRange>
}

/** The maximum size of an extension in bytes. Two of them follow the slots, and are written alternately. */
export const extensionSize = 80 * 1024
const extensionMagic = 0x4e535158
const extensionCountAt = 24
const extensionRangesAt = 28

/** The maximum number of ranges in an extension. */
export const maxExtendedRanges = Math.floor((extensionSize - extensionRangesAt - 4) / rangeBytes)

/** Returns the offset of the extension with this sequence number in the state file. */
export const extensionOffset = (sequence: number): number => slotCount * slotSize + (sequence % 2) * extensionSize

/** Encodes the extension of the slot with this sequence number. It must have at most `maxExtendedRanges` ranges. */
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

/** Decodes an extension; returns `undefined` if it is torn, damaged, or belongs to another slot. */
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

/** Joins neighbours in one file whose gap is at most `gap` bytes. `ranges` must be sorted. */
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
 * Sorts ranges and reduces them to at most `limit`: it closes the smallest gaps within a file first, and then, if there are still
 * too many, moves `read` back to the first range that does not fit. Messages may be redelivered, but none is lost.
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
