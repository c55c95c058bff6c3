/**
 * The Snappy framing format: a stream identifier, then chunks of at most 64 KiB of content, each with a checksum. Pure: block
 * compression and CRC-32C are passed in. Chunks are read and written as NSQ does it; like every byte from outside, a length
 * is checked before anything is allocated for it.
 */
import { Result, Schema } from "effect"

/** Compression of single blocks, and CRC-32C. `uncompress` throws when a block is malformed. */
export interface SnappyCodec {
  readonly compress: (content: Uint8Array) => Buffer
  readonly uncompress: (block: Uint8Array) => Buffer
  readonly crc32c: (bytes: Uint8Array) => number
}

/** A stream that is not in the framing format; nothing after it can be read. */
export class SnappyError extends Schema.TaggedError<SnappyError>()("SnappyError", { reason: Schema.String }) {
  override get message(): string {
    return `snappy: ${this.reason}`
  }
}

const streamIdentifier = Buffer.from("\xff\x06\x00\x00sNaPpY", "latin1")
const maxContentBytes = 65536
/** What a block of 64 KiB may grow to, as the format's authors bound it. */
const maxBlockBytes = 32 + maxContentBytes + Math.floor(maxContentBytes / 6)
const headerBytes = 4
const checksumBytes = 4
/** Shorter content does not become smaller. */
const minCompressedBytes = 32
/** `next` gathers small chunks up to about this much. */
const gatheredBytes = 64 * 1024

/** Pieces of a chunk that are kept as they arrived: each costs memory beside its bytes, which may be a single one. */
const arrivedMax = 64

const ChunkType = { compressed: 0x00, uncompressed: 0x01, firstSkippable: 0x80, streamIdentifier: 0xff }

/** The checksum as it stands in a chunk. */
const maskedChecksum = (codec: SnappyCodec, content: Uint8Array): number => {
  const crc = codec.crc32c(content) >>> 0
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** Content as chunks; a stream starts with its identifier. Shares no memory with what it is given. */
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

/** The length that a compressed block announces; `undefined` when it has none or is too long. */
const announcedLength = (block: Buffer): number | undefined => {
  let length = 0
  for (let i = 0; i < 3 && i < block.length; i++) {
    const byte = block[i] ?? 0
    length |= (byte & 0x7f) << (7 * i)
    if (byte < 0x80) return length <= maxContentBytes ? length : undefined
  }
  return undefined
}

/** Reads a stream piece by piece. After an error nothing more may be asked of it. */
export class SnappyDecoder {
  private readonly codec: SnappyCodec
  private buffer: Buffer = Buffer.alloc(0)
  private position = 0
  /** What arrived after `buffer`, to be put together with it when a chunk is complete. */
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

  /** Makes the next `length` bytes lie in `buffer`; false while they have not all arrived. */
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

  /** The content of the next chunks, not much more than 64 KiB of it; `undefined` while bytes are missing. */
  next(): Result.Result<Buffer | undefined, SnappyError> {
    const pieces: Array<Buffer> = []
    let gathered = 0
    while (gathered < gatheredBytes) {
      const piece = this.chunk()
      if (piece instanceof SnappyError) {
        // What stood before the error is still good; the error comes next time.
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

  /** One whole chunk; empty content for one that carries none. Leaves its bytes alone when there is an error in it. */
  private chunk(): Buffer | SnappyError | undefined {
    if (!this.skip() || !this.available(headerBytes)) return undefined
    const { buffer, position } = this
    const type = buffer[position] ?? 0
    const length = buffer.readUIntLE(position + 1, 3)
    if (!this.started && type !== ChunkType.streamIdentifier) return corrupt("the stream has no identifier")
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

  /** Passes over a skippable chunk without keeping it; false while more of it has to come. */
  private skip(): boolean {
    while (this.skipping > 0 && this.available(1)) {
      const skipped = Math.min(this.skipping, this.buffer.length - this.position)
      this.position += skipped
      this.skipping -= skipped
    }
    return this.skipping === 0
  }

  private identifier(chunk: Buffer): Buffer | SnappyError {
    if (!streamIdentifier.equals(chunk)) return corrupt("bad stream identifier")
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
    if (length === undefined) return corrupt("bad length of a compressed block")
    const content = Result.try(() => this.codec.uncompress(block))
    return Result.isSuccess(content) && content.success.length === length
      ? content.success
      : corrupt("malformed compressed block")
  }
}

const corrupt = (reason: string): SnappyError => new SnappyError({ reason })

/** Why a chunk that must be read cannot be one. */
const wrongLength = (type: number, length: number): SnappyError | undefined => {
  switch (type) {
    case ChunkType.streamIdentifier:
      return length === streamIdentifier.length - headerBytes ? undefined : corrupt("bad stream identifier")
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
