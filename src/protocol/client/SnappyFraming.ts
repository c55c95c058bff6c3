/**
 * The Snappy framing format: a stream identifier, then chunks of at most 64 KiB of content, each with a checksum. Pure: block
 * compression and CRC-32C are passed in. Chunks are read and written as in NSQ. Every length is checked before memory is
 * allocated for it.
 */
import { Result, Schema } from "effect"

/** Compression of single blocks, and CRC-32C. `uncompress` throws if a block is malformed. */
export interface SnappyCodec {
  readonly compress: (content: Uint8Array) => Buffer
  readonly uncompress: (block: Uint8Array) => Buffer
  readonly crc32c: (bytes: Uint8Array) => number
}

/** The stream is not in the framing format; no further input can be decoded. */
export class SnappyError extends Schema.TaggedError<SnappyError>()("SnappyError", { description: Schema.String }) {
  override get message(): string {
    return `snappy: ${this.description}`
  }
}

const streamIdentifier = Buffer.from("\xff\x06\x00\x00sNaPpY", "latin1")
const maxContentBytes = 65536
/** The maximum size of a compressed block of 64 KiB, from the format's specification. */
const maxBlockBytes = 32 + maxContentBytes + Math.floor(maxContentBytes / 6)
const headerBytes = 4
const checksumBytes = 4
/** Shorter content does not become smaller. */
const minCompressedBytes = 32
/** `next` joins small chunks up to about this size. */
const gatheredBytes = 64 * 1024

/** The maximum number of separate pieces of a chunk, because each takes memory besides its bytes, which can be a single one. */
const arrivedMax = 64

const ChunkType = { compressed: 0x00, uncompressed: 0x01, firstSkippable: 0x80, streamIdentifier: 0xff }

/** The checksum in the form that chunks contain. */
const maskedChecksum = (codec: SnappyCodec, content: Uint8Array): number => {
  const crc = codec.crc32c(content) >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** Encodes content as chunks, after the stream identifier. The result shares no memory with the content. */
export class SnappyEncoder {
  private readonly codec: SnappyCodec
  private started = false

  constructor(codec: SnappyCodec) {
    this.codec = codec
  }

  encode(content: Uint8Array): Buffer {
    const pieces: Array<Uint8Array> = this.started ? [] : [streamIdentifier]
    this.started = true
    for (let start = 0; start < content.length; start += maxContentBytes) {
      this.chunk(pieces, content.subarray(start, start + maxContentBytes))
    }
    return Buffer.concat(pieces)
  }

  private chunk(pieces: Array<Uint8Array>, content: Uint8Array): void {
    const compressed = content.length < minCompressedBytes ? undefined : this.codec.compress(content)
    const small = compressed !== undefined && compressed.length < content.length - content.length / 8
    const body = small ? compressed : content
    const header = Buffer.allocUnsafe(headerBytes + checksumBytes)
    header[0] = small ? ChunkType.compressed : ChunkType.uncompressed
    header.writeUIntLE(checksumBytes + body.length, 1, 3)
    header.writeUInt32LE(maskedChecksum(this.codec, content), headerBytes)
    pieces.push(header, body)
  }
}

/** Returns the length in the header of a compressed block; `undefined` if it is missing or too large. */
const announcedLength = (block: Buffer): number | undefined => {
  let length = 0
  for (let i = 0; i < 3 && i < block.length; i++) {
    const byte = block[i] ?? 0
    length |= (byte & 0x7f) << (7 * i)
    if (byte < 0x80) return length <= maxContentBytes ? length : undefined
  }
  return undefined
}

/** Decodes a stream piece by piece. It must not be used after an error. */
export class SnappyDecoder {
  private readonly codec: SnappyCodec
  private buffer: Buffer = Buffer.alloc(0)
  private position = 0
  /** Input after `buffer`, which is joined with it when a chunk is complete. */
  private arrived: Array<Buffer> = []
  private arrivedBytes = 0
  private started = false
  /** Bytes of a skippable chunk that have not arrived yet. */
  private skipping = 0

  constructor(codec: SnappyCodec) {
    this.codec = codec
  }

  /** Whether the stream may end here. */
  get atBoundary(): boolean {
    return this.position === this.buffer.length && this.arrivedBytes === 0 && this.skipping === 0
  }

  feed(bytes: Buffer): void {
    this.arrived.push(bytes)
    if (this.arrived.length >= arrivedMax) this.arrived = [Buffer.concat(this.arrived)]
    this.arrivedBytes += bytes.length
  }

  /** Moves the next `length` bytes to `buffer`; returns false while some have not arrived. */
  private available(length: number): boolean {
    const left = this.buffer.length - this.position
    if (left >= length) return true
    if (left + this.arrivedBytes < length) return false
    const pieces = left === 0 ? this.arrived : [this.buffer.subarray(this.position), ...this.arrived]
    this.buffer = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
    this.position = 0
    this.arrived = []
    this.arrivedBytes = 0
    return true
  }

  /** Returns the content of the next chunks, at most about 128 KiB; `undefined` while bytes are missing. */
  next(): Result.Result<Buffer | undefined, SnappyError> {
    const pieces: Array<Buffer> = []
    let gathered = 0
    while (gathered < gatheredBytes) {
      const piece = this.chunk()
      if (piece instanceof SnappyError) {
        // The content before the error is still valid; the next call returns the error.
        if (pieces.length === 0) return Result.fail(piece)
        break
      }
      if (piece === undefined) break
      if (piece.length === 0) continue
      pieces.push(piece)
      gathered += piece.length
    }
    return Result.succeed(pieces.length > 1 ? Buffer.concat(pieces) : pieces[0])
  }

  /** Decodes one complete chunk; empty for a chunk without content. Does not consume a chunk with an error. */
  private chunk(): Buffer | SnappyError | undefined {
    if (!this.skip() || !this.available(headerBytes)) return undefined
    const { buffer, position } = this
    const type = buffer[position] ?? 0
    const length = buffer.readUIntLE(position + 1, 3)
    if (!this.started && type !== ChunkType.streamIdentifier) return corrupt("missing stream identifier")
    if (type >= ChunkType.firstSkippable && type !== ChunkType.streamIdentifier) {
      this.position += headerBytes
      this.skipping = length
      return buffer.subarray(0, 0)
    }
    const wrong = wrongLength(type, length)
    if (wrong !== undefined) return wrong
    if (!this.available(headerBytes + length)) return undefined
    const whole = this.buffer.subarray(this.position, this.position + headerBytes + length)
    const content = type === ChunkType.streamIdentifier
      ? this.identifier(whole)
      : this.content(type, whole.readUInt32LE(headerBytes), whole.subarray(headerBytes + checksumBytes))
    if (!(content instanceof SnappyError)) this.position += whole.length
    return content
  }

  /** Skips a skippable chunk without keeping its bytes; returns false while some have not arrived. */
  private skip(): boolean {
    while (this.skipping > 0 && this.available(1)) {
      const skipped = Math.min(this.skipping, this.buffer.length - this.position)
      this.position += skipped
      this.skipping -= skipped
    }
    return this.skipping === 0
  }

  private identifier(chunk: Buffer): Buffer | SnappyError {
    if (!streamIdentifier.equals(chunk)) return corrupt("invalid stream identifier")
    this.started = true
    return this.buffer.subarray(0, 0)
  }

  private content(type: number, checksum: number, body: Buffer): Buffer | SnappyError {
    const content = type === ChunkType.uncompressed ? body : this.uncompress(body)
    if (content instanceof SnappyError) return content
    return maskedChecksum(this.codec, content) === checksum ? content : corrupt("wrong checksum")
  }

  private uncompress(block: Buffer): Buffer | SnappyError {
    const length = announcedLength(block)
    if (length === undefined) return corrupt("invalid length of a compressed block")
    const content = Result.try(() => this.codec.uncompress(block))
    return Result.isSuccess(content) && content.success.length === length
      ? content.success
      : corrupt("malformed compressed block")
  }
}

const corrupt = (description: string): SnappyError => new SnappyError({ description })

/** Returns the error if the length of a chunk is not valid for its type. */
const wrongLength = (type: number, length: number): SnappyError | undefined => {
  switch (type) {
    case ChunkType.streamIdentifier:
      return length === streamIdentifier.length - headerBytes ? undefined : corrupt("invalid stream identifier")
    case ChunkType.compressed:
      return length >= checksumBytes && length <= checksumBytes + maxBlockBytes
        ? undefined
        : corrupt(`compressed chunk of ${length} bytes`)
    case ChunkType.uncompressed:
      return length >= checksumBytes && length <= checksumBytes + maxContentBytes
        ? undefined
        : corrupt(`uncompressed chunk of ${length} bytes`)
    default:
      return corrupt(`unknown chunk type ${type}`)
  }
}
