/**
 * Checksums of the records in a data file, kept in a separate file (docs/protocol/files.md#checksum-files). NSQ's format has no
 * checksums: a flipped bit in a body is not detected, and one in a size field loses the rest of the file. A checksum file is a
 * sequence of blocks, one for each write: a header of 24 bytes (magic number `NSQC`, CRC-32 of the rest of the block, offset of
 * the first record in the data file, count), then 8 bytes for each record (its size field, XXH32 of its content). Blocks may be
 * missing, torn or damaged: their records are unverified, never damaged.
 *
 * Hot path: plain loops over bytes. Pure; `services/nsqd/storage` reads and writes the files.
 */
import { crc32 } from "node:zlib"
import { messageHeaderSize } from "../client/Message.ts"
import { isRecordSize } from "./DiskQueueFormat.ts"
import { xxHash32 } from "./XxHash32.ts"

const magic = 0x4e535143
const headerBytes = 24
const entryBytes = 8

/** Blocks start at multiples of this, so that the reader finds the next block after a damaged one. */
export const blockAlignment = 8

/** Complete records in `bytes[start..end)`. */
interface Records {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly count: number
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** Encodes the block of consecutive records that start at `offset` in the data file. */
export const encodeBlock = (offset: number, runs: ReadonlyArray<Records>): Buffer => {
  const count = runs.reduce((sum, run) => sum + run.count, 0)
  const block = Buffer.allocUnsafe(headerBytes + entryBytes * count)
  block.writeUInt32BE(magic, 0)
  block.writeUIntBE(offset, 8, 6)
  block.writeUInt16BE(0, 14)
  block.writeUInt32BE(count, 16)
  block.writeUInt32BE(0, 20)
  const entries = viewOf(block)
  let to = headerBytes
  for (const run of runs) {
    const view = viewOf(run.bytes)
    let at = run.start
    for (let left = run.count; left > 0; left--) {
      const size = view.getInt32(at)
      const next = at + 4 + size
      entries.setInt32(to, size)
      entries.setInt32(to + 4, xxHash32(view, at + 4, next))
      at = next
      to += entryBytes
    }
  }
  block.writeUInt32BE(crc32(block.subarray(8)), 4)
  return block
}

/** Returns the size of the block at the start of `bytes`, from its header. */
export const blockSize = (bytes: Buffer): number => headerBytes + entryBytes * bytes.readUInt32BE(16)

/** The offsets, sizes and checksums of records in a part of a data file, ascending. */
export class KnownRecords {
  offsets: Array<number> = []
  sizes: Array<number> = []
  hashes: Array<number> = []

  /** The end of the last known record. */
  get end(): number {
    const last = this.offsets.length - 1
    return last < 0 ? 0 : this.offsets[last]! + 4 + this.sizes[last]!
  }

  /** Removes the records before `offset`. */
  dropBefore(offset: number): void {
    let count = 0
    while (count < this.offsets.length && this.offsets[count]! < offset) count++
    if (count === 0) return
    this.offsets = this.offsets.slice(count)
    this.sizes = this.sizes.slice(count)
    this.hashes = this.hashes.slice(count)
  }

  /** Shifts all offsets, because the data file lost or gained bytes before them. */
  shift(by: number): void {
    for (let i = 0; i < this.offsets.length; i++) this.offsets[i]! += by
  }
}

/**
 * Adds the blocks in `bytes` to `known`, with their offsets increased by `shift`. Returns the number of consumed bytes: the rest
 * is the start of a block that is not complete yet.
 */
export const decodeBlocks = (bytes: Buffer, known: KnownRecords, shift: number): number => {
  let at = 0
  while (at + headerBytes <= bytes.length) {
    const count = bytes.readUInt32BE(at + 16)
    const end = at + headerBytes + entryBytes * count
    if (bytes.readUInt32BE(at) !== magic || count > maxCount) {
      at += blockAlignment
      continue
    }
    if (end > bytes.length) return at
    if (bytes.readUInt32BE(at + 4) !== crc32(bytes.subarray(at + 8, end))) {
      at += blockAlignment
      continue
    }
    let offset = bytes.readUIntBE(at + 8, 6) + shift
    for (let entry = at + headerBytes; entry < end; entry += entryBytes) {
      const size = bytes.readInt32BE(entry)
      known.offsets.push(offset)
      known.sizes.push(size)
      known.hashes.push(bytes.readInt32BE(entry + 4))
      offset += 4 + size
    }
    at = end
  }
  return at
}

/** The smallest record: a message without a body, and its size. */
const minRecordBytes = 4 + messageHeaderSize

/** A larger count in a header indicates damage. */
const maxCount = 4 * 1024 * 1024

/** The result of a walk over records. */
export interface VerifiedWalk {
  /** The start of each complete, undamaged record, and the end of the last one. */
  readonly starts: Int32Array
  /** The reason why the record after them must not be delivered; `undefined` if the bytes end before or within it. */
  readonly problem: string | undefined
  /** The size of the record after them, if known. */
  readonly next: number | undefined
}

/**
 * Walks over complete records in `bytes[0..end)`, which start at `base` in the data file, up to the first one that differs from
 * its known size or checksum. A record that is not known only has to have a valid size.
 */
export const walkVerified = (
  bytes: Buffer,
  end: number,
  base: number,
  known: KnownRecords,
  maxMsgSize: number
): VerifiedWalk => {
  const view = viewOf(bytes)
  const { hashes, offsets, sizes } = known
  const total = offsets.length
  const starts = new Int32Array(Math.floor(Math.max(0, end) / minRecordBytes) + 1)
  let count = 0
  let at = 0
  let k = 0
  let problem: string | undefined
  let next: number | undefined
  while (k < total && offsets[k]! < base) k++
  while (true) {
    starts[count] = at
    next = undefined
    const isKnown = k < total && offsets[k] === base + at
    if (isKnown) next = sizes[k]!
    if (at + 4 > end) break
    const size = view.getInt32(at)
    if (isKnown) {
      if (size !== next) {
        problem = `size ${size} differs from the recorded size ${next}`
        break
      }
      if (at + 4 + size > end) break
      if (xxHash32(view, at + 4, at + 4 + size) !== hashes[k]) {
        problem = "wrong checksum"
        break
      }
      k++
    } else {
      next = size
      if (!isRecordSize(size, maxMsgSize) || (k < total && base + at + 4 + size > offsets[k]!)) {
        problem = `invalid message read size (${size})`
        break
      }
      if (at + 4 + size > end) break
    }
    at += 4 + size
    count++
  }
  return { starts: starts.slice(0, count + 1), problem, next }
}

/**
 * Searches for a known record at any position of `bytes[from..end)`, in case bytes before it were lost or gained. Returns its
 * position and its index among the known records.
 */
export const findKnown = (
  bytes: Buffer,
  from: number,
  end: number,
  known: KnownRecords
): { readonly at: number; readonly index: number } | undefined => {
  const view = viewOf(bytes)
  const sizes = new Set(known.sizes)
  const byHash = new Map<number, number>()
  known.hashes.forEach((hash, index) => byHash.has(hash) || byHash.set(hash, index))
  for (let at = from; at + 4 <= end; at++) {
    const size = view.getInt32(at)
    if (!sizes.has(size) || at + 4 + size > end) continue
    const index = byHash.get(xxHash32(view, at + 4, at + 4 + size))
    if (index !== undefined && known.sizes[index] === size) return { at, index }
  }
  return undefined
}
