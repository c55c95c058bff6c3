/**
 * The format of NSQ's disk queue (docs/protocol/files.md#disk-queue): file names, the metadata file, and the bounds of records.
 * Pure; `services/nsqd/storage` reads and writes the files.
 */
import { messageHeaderSize } from "../client/Message.ts"

/**
 * A position in a queue: the number of a data file and an offset in bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueuePosition {
  readonly file: number
  readonly offset: number
}

/**
 * The content of the metadata file.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueueMetadata {
  /** Number of messages between the two positions. */
  readonly depth: number
  readonly read: QueuePosition
  readonly write: QueuePosition
}

/**
 * Returns the name of a data file.
 *
 * @since 0.1.0
 * @category operations
 */
export const dataFileName = (queue: string, file: number): string =>
  `${queue}.diskqueue.${String(file).padStart(6, "0")}.dat`

/**
 * Returns the name of the file with the checksums of a data file. NSQ does not have such files and ignores them.
 *
 * @since 0.1.0
 * @category operations
 */
export const checksumFileName = (queue: string, file: number): string =>
  `${queue}.diskqueue.${String(file).padStart(6, "0")}.sum`

/**
 * Returns the name of the metadata file.
 *
 * @since 0.1.0
 * @category operations
 */
export const metadataFileName = (queue: string): string => `${queue}.diskqueue.meta.dat`

/**
 * Returns the name of the state file, which extends NSQ's metadata. NSQ does not have such files and ignores them.
 *
 * @since 0.1.0
 * @category operations
 */
export const stateFileName = (queue: string): string => `${queue}.diskqueue.state.dat`

const numberedFile = (queue: string, fileName: string, extension: string): number | undefined => {
  const prefix = `${queue}.diskqueue.`
  if (!fileName.startsWith(prefix) || !fileName.endsWith(extension)) return undefined
  const digits = fileName.slice(prefix.length, -extension.length)
  return /^\d{6,}$/.test(digits) ? Number(digits) : undefined
}

/**
 * Returns the number of a data file of the queue; `undefined` for any other file name.
 *
 * @since 0.1.0
 * @category operations
 */
export const dataFileNumber = (queue: string, fileName: string): number | undefined =>
  numberedFile(queue, fileName, ".dat")

/**
 * Returns the number of a checksum file of the queue; `undefined` for any other file name.
 *
 * @since 0.1.0
 * @category operations
 */
export const checksumFileNumber = (queue: string, fileName: string): number | undefined =>
  numberedFile(queue, fileName, ".sum")

/**
 * The kind of a file of a queue.
 *
 * @since 0.1.0
 * @category models
 */
export type QueueFileKind =
  | { readonly _tag: "Data" | "Sums"; readonly file: number }
  | { readonly _tag: "Metadata" | "State" }

/**
 * The parts of the name of a file of a queue.
 *
 * @since 0.1.0
 * @category models
 */
export interface QueueFileName {
  /** `topic` or `topic:channel`. */
  readonly queue: string
  readonly kind: QueueFileKind
}

/**
 * Parses the name of a file of a queue; returns `undefined` for any other file name. The name of a topic can contain
 * `.diskqueue.` itself: the last one is the separator.
 *
 * @since 0.1.0
 * @category codecs
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

/**
 * Encodes the metadata file.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeQueueMetadata = ({ depth, read, write }: QueueMetadata): string =>
  `${depth}\n${read.file},${read.offset}\n${write.file},${write.offset}\n`

/**
 * Decodes the metadata file; returns `undefined` if it is not NSQ's three lines, or a number is not a safe integer. A negative
 * depth, which NSQ can leave, becomes 0.
 *
 * @since 0.1.0
 * @category codecs
 */
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

/**
 * The result of a walk over records.
 *
 * @since 0.1.0
 * @category models
 */
export interface RecordWalk {
  /** Number of complete records. */
  readonly count: number
  /** End of the last complete record. */
  readonly end: number
  /** The size field of the record after it, which is incomplete or invalid. `undefined` if the bytes end before it. */
  readonly next: number | undefined
}

/**
 * Whether the size of a record is valid: at least a message without a body, at most the largest message.
 *
 * @since 0.1.0
 * @category guards
 */
export const isRecordSize = (size: number, maxMsgSize: number): boolean =>
  size >= messageHeaderSize && size <= maxMsgSize + messageHeaderSize

/**
 * Walks over complete records in `bytes[start..end)`, up to a record that would end after `stop`. A plain loop.
 *
 * @since 0.1.0
 * @category operations
 */
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

/**
 * Returns the start of each of `count` records from `start` on, relative to `start`, and the end of the last. A plain loop.
 *
 * @since 0.1.0
 * @category operations
 */
export const recordStarts = (bytes: Buffer, start: number, count: number): Int32Array => {
  const starts = new Int32Array(count + 1)
  let at = start
  for (let i = 0; i < count; i++) {
    at += 4 + bytes.readInt32BE(at)
    starts[i + 1] = at - start
  }
  return starts
}
