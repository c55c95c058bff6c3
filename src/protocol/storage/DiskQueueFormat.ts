/**
 * NSQ's disk queue as it lies on disk (section 15 of nsqd's notes): file names, the metadata text, and where records end.
 * Pure; `services/storage/DiskQueue` does the reading and writing.
 */
import { messageHeaderSize } from "../client/Message.ts"

/** A place in a queue: a data file's number and a byte position in it. */
export interface QueuePosition {
  readonly file: number
  readonly offset: number
}

/** What the metadata file holds. */
export interface QueueMetadata {
  /** Messages between the two positions. */
  readonly depth: number
  readonly read: QueuePosition
  readonly write: QueuePosition
}

export const dataFileName = (queue: string, file: number): string =>
  `${queue}.diskqueue.${String(file).padStart(6, "0")}.dat`

/** The checksums of the records in a data file. NSQ does not have such a file, and ignores it. */
export const checksumFileName = (queue: string, file: number): string =>
  `${queue}.diskqueue.${String(file).padStart(6, "0")}.sum`

export const metadataFileName = (queue: string): string => `${queue}.diskqueue.meta.dat`

/** The state of a queue beyond NSQ's metadata. NSQ does not have such a file, and ignores it. */
export const stateFileName = (queue: string): string => `${queue}.diskqueue.state.dat`

const numberedFile = (queue: string, fileName: string, extension: string): number | undefined => {
  const prefix = `${queue}.diskqueue.`
  if (!fileName.startsWith(prefix) || !fileName.endsWith(extension)) return undefined
  const digits = fileName.slice(prefix.length, -extension.length)
  return /^\d{6,}$/.test(digits) ? Number(digits) : undefined
}

/** The number of a queue's data file, `undefined` for any other file name. */
export const dataFileNumber = (queue: string, fileName: string): number | undefined =>
  numberedFile(queue, fileName, ".dat")

/** The number of a queue's checksum file, `undefined` for any other file name. */
export const checksumFileNumber = (queue: string, fileName: string): number | undefined =>
  numberedFile(queue, fileName, ".sum")

/** What a file of a queue is for. */
export type QueueFileKind =
  | { readonly _tag: "Data" | "Sums"; readonly file: number }
  | { readonly _tag: "Metadata" | "State" }

export interface QueueFileName {
  /** `topic` or `topic:channel`. */
  readonly queue: string
  readonly kind: QueueFileKind
}

/**
 * Which queue a file belongs to; `undefined` for the name of any other file. A topic's name may itself contain
 * `.diskqueue.`: the last one separates.
 */
export const parseQueueFileName = (fileName: string): QueueFileName | undefined => {
  const match = /^(.+)\.diskqueue\.(?:(\d{6,})\.(dat|sum)|(meta|state)\.dat)$/.exec(fileName)
  if (match === null) return undefined
  const [, queue = "", digits, extension, single] = match
  if (digits !== undefined) {
    return { queue, kind: { _tag: extension === "dat" ? "Data" : "Sums", file: Number(digits) } }
  }
  return { queue, kind: { _tag: single === "meta" ? "Metadata" : "State" } }
}

export const encodeQueueMetadata = ({ depth, read, write }: QueueMetadata): string =>
  `${depth}\n${read.file},${read.offset}\n${write.file},${write.offset}\n`

/** `undefined` when the text is not NSQ's three lines, or a number is too large to be exact. A negative depth, which NSQ may leave behind, is 0. */
export const decodeQueueMetadata = (text: string): QueueMetadata | undefined => {
  const match = /^(-?\d+)\n(\d+),(\d+)\n(\d+),(\d+)\n?$/.exec(text)
  if (match === null) return undefined
  const numbers = match.slice(1).map(Number)
  if (!numbers.every(Number.isSafeInteger)) return undefined
  const [depth = 0, readFile = 0, readOffset = 0, writeFile = 0, writeOffset = 0] = numbers
  return {
    depth: Math.max(0, depth),
    read: { file: readFile, offset: readOffset },
    write: { file: writeFile, offset: writeOffset }
  }
}

/** What a walk over records found. */
export interface RecordWalk {
  /** Whole records. */
  readonly count: number
  /** Where the last whole record ends. */
  readonly end: number
  /** The size field of the record after it: incomplete, or out of bounds. `undefined` where the bytes end before it. */
  readonly next: number | undefined
}

/** Whether a record of this size may be: at least a message without a body, at most the largest message. */
export const isRecordSize = (size: number, maxMsgSize: number): boolean =>
  size >= messageHeaderSize && size <= maxMsgSize + messageHeaderSize

/** Walks whole records in `bytes[start..end)`, stopping where one would end after `stop`. A plain loop. */
export const walkRecords = (
  bytes: Buffer,
  start: number,
  end: number,
  maxMsgSize: number,
  stop: number = end
): RecordWalk => {
  let at = start
  let count = 0
  while (at + 4 <= end) {
    const size = bytes.readInt32BE(at)
    if (!isRecordSize(size, maxMsgSize) || at + 4 + size > end || (at + 4 + size > stop)) {
      return { count, end: at, next: size }
    }
    at += 4 + size
    count++
  }
  return { count, end: at, next: undefined }
}

/** Where each of `count` records from `start` on begins, relative to `start`, and where the last one ends. A plain loop. */
export const recordStarts = (bytes: Buffer, start: number, count: number): Int32Array => {
  const starts = new Int32Array(count + 1)
  let at = start
  for (let i = 0; i < count; i++) {
    at += 4 + bytes.readInt32BE(at)
    starts[i + 1] = at - start
  }
  return starts
}
