/**
 * Records of the durable log (docs/protocol/files.md#durable-log): a header of 64 bytes, then message frames exactly as they are
 * sent to consumers. A record holds the messages of one commit, or those of one deferred publish.
 *
 * Header and payload have checksums of their own, so that a log can be walked from header to header.
 */
import { crc32 } from "node:zlib"
import { messageFrameHeaderSize } from "../client/MessageBatch.ts"

/** Size of a record's header in bytes. */
export const logHeaderSize = 64

/** The first four bytes of each record: `NSQL`. */
const magic = 0x4e53514c
/** Of records without headers of messages, which releases before 0.2 read as well. */
const plainVersion = 1
/** Of records in which messages may have headers. */
const headersVersion = 2
const magicBytes = Buffer.from("NSQL")

/** The content of a record's header. Sequences number the messages of a topic from 1. */
export interface LogHeader {
  /** A random number of the log: bytes of a deleted topic with the same name do not belong to it. */
  readonly epoch: number
  /** Number of messages, at least 1. */
  readonly count: number
  /** The sequence of the first message. */
  readonly first: number
  /** Size of the frames in bytes. */
  readonly payloadBytes: number
  readonly payloadCrc: number
  /** When the messages were accepted, in ms since the Unix epoch. */
  readonly acceptedAt: number
  /** When the messages become due, in ms since the Unix epoch; 0 if they are not deferred. */
  readonly due: number
  /** All messages with a lower sequence were durable when this record was written. */
  readonly durable: number
  /** Whether messages may have headers (docs/headers.md). */
  readonly hasHeaders: boolean
}

/** The header's fields without those that depend on the payload. */
export type LogHeaderFields = Omit<LogHeader, "payloadBytes" | "payloadCrc">

/** Writes a 48-bit number as 64 bits. */
const writeNumber = (bytes: Buffer, value: number, at: number): void => {
  bytes.writeUInt16BE(0, at)
  bytes.writeUIntBE(value, at + 2, 6)
}

/** Writes the header of a record that starts at 0 and whose frames end at `end`. `checksum` is the CRC-32 of the frames. */
export const writeLogHeader = (
  record: Buffer,
  end: number,
  fields: LogHeaderFields,
  checksum = crc32(record.subarray(logHeaderSize, end))
): void => {
  record.writeUInt32BE(magic, 0)
  record.writeUInt8(fields.hasHeaders ? headersVersion : plainVersion, 4)
  record.fill(0, 5, 8)
  record.writeUInt32BE(fields.epoch, 8)
  record.writeUInt32BE(fields.count, 12)
  writeNumber(record, fields.first, 16)
  record.writeUInt32BE(end - logHeaderSize, 24)
  record.writeUInt32BE(checksum, 28)
  writeNumber(record, fields.acceptedAt, 32)
  writeNumber(record, fields.due, 40)
  writeNumber(record, fields.durable, 48)
  record.writeUInt32BE(0, 56)
  record.writeUInt32BE(crc32(record.subarray(0, 60)), 60)
}

/** Reads the header at `at`; `undefined` if no valid one of this log starts there. */
export const readLogHeader = (bytes: Buffer, at: number, epoch: number): LogHeader | undefined => {
  if (at + logHeaderSize > bytes.length || bytes.readUInt32BE(at) !== magic) return undefined
  if (bytes.readUInt32BE(at + 60) !== crc32(bytes.subarray(at, at + 60))) return undefined
  const version = bytes.readUInt8(at + 4)
  if (version !== plainVersion && version !== headersVersion) return undefined
  if (bytes.readUInt32BE(at + 8) !== epoch) return undefined
  const count = bytes.readUInt32BE(at + 12)
  const payloadBytes = bytes.readUInt32BE(at + 24)
  if (count === 0 || payloadBytes < count * messageFrameHeaderSize) return undefined
  return {
    epoch,
    count,
    first: bytes.readUIntBE(at + 18, 6),
    payloadBytes,
    payloadCrc: bytes.readUInt32BE(at + 28),
    acceptedAt: bytes.readUIntBE(at + 34, 6),
    due: bytes.readUIntBE(at + 42, 6),
    durable: bytes.readUIntBE(at + 50, 6),
    hasHeaders: version === headersVersion
  }
}

/** Returns the epoch of the first valid header in `bytes`; `undefined` without a valid header. */
export const logEpochOf = (bytes: Buffer): number | undefined => {
  for (let at = bytes.indexOf(magicBytes); at >= 0; at = bytes.indexOf(magicBytes, at + 1)) {
    if (at + logHeaderSize > bytes.length) return undefined
    const epoch = bytes.readUInt32BE(at + 8)
    if (readLogHeader(bytes, at, epoch) !== undefined) return epoch
  }
  return undefined
}

/** Returns the first position from `at` where a valid header of this log starts; -1 without a valid header. */
export const findLogHeader = (bytes: Buffer, at: number, epoch: number): number => {
  for (let found = bytes.indexOf(magicBytes, at); found >= 0; found = bytes.indexOf(magicBytes, found + 1)) {
    if (readLogHeader(bytes, found, epoch) !== undefined) return found
  }
  return -1
}

/**
 * Returns the start of each frame of a record, and the end of the last one, if the frames are what was written: their checksum is
 * right, and they are as many as the header says; otherwise `undefined`. `checksum` is the CRC-32 of the frames.
 */
export const intactStarts = (
  { count, payloadCrc }: LogHeader,
  frames: Buffer,
  checksum = crc32(frames)
): Int32Array | undefined => {
  if (checksum !== payloadCrc) return undefined
  const starts = new Int32Array(count + 1)
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + messageFrameHeaderSize > frames.length) return undefined
    starts[i] = at
    at += frames.readInt32BE(at) + 4
  }
  starts[count] = at
  return at === frames.length ? starts : undefined
}

/** Whether the frames of a record are what was written. */
export const isIntact = (header: LogHeader, frames: Buffer): boolean => intactStarts(header, frames) !== undefined

/** Returns the start of each frame, and the end of the last one. */
export const frameStarts = (frames: Buffer, count: number): Int32Array => {
  const starts = new Int32Array(count + 1)
  let at = 0
  for (let i = 0; i < count; i++) {
    starts[i] = at
    at += frames.readInt32BE(at) + 4
  }
  starts[count] = at
  return starts
}
