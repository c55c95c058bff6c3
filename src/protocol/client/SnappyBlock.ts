/**
 * Snappy's block format in JavaScript, for platforms without the native code: slower, with the same result for every valid
 * block. A compressed block is the length of the content, then literals and copies of earlier content.
 */

/** Content is compressed in pieces of this size, so that the offset of every copy has two bytes. */
const fragmentBytes = 65536
const hashBits = 14
/** The last bytes of a fragment are always literals, so that four bytes can be read at every position before them. */
const tailBytes = 15
const shortestCopy = 4
const longestCopy = 64
/** After this many positions without a match, every second position is tried, then every third, and so on. */
const patience = 5

const Tag = { literal: 0, copy1: 1, copy2: 2, copy4: 3 }

/** The positions of a fragment in which four bytes with a hash began, relative to its start. */
const positions = new Uint16Array(1 << hashBits)

/** The maximum size of a compressed block, from the format's specification. */
const maxCompressedBytes = (length: number): number => 32 + length + Math.floor(length / 6)

/** Writes a compressed block. */
class Compressor {
  private readonly input: Buffer
  private readonly output: Buffer
  private written = 0

  constructor(content: Uint8Array) {
    this.input = Buffer.from(content.buffer, content.byteOffset, content.length)
    this.output = Buffer.allocUnsafe(maxCompressedBytes(content.length))
  }

  compress(): Buffer {
    const { input } = this
    let length = input.length
    for (; length >= 0x80; length >>>= 7) this.byte((length & 0x7f) | 0x80)
    this.byte(length)
    for (let start = 0; start < input.length; start += fragmentBytes) {
      this.fragment(start, Math.min(input.length, start + fragmentBytes))
    }
    return this.output.subarray(0, this.written)
  }

  private byte(value: number): void {
    this.output[this.written++] = value
  }

  private fragment(start: number, end: number): void {
    const { input } = this
    positions.fill(0)
    let literal = start
    let at = start + 1
    let tries = 1 << patience
    while (at < end - tailBytes) {
      const bytes = input.readInt32LE(at)
      const slot = Math.imul(bytes, 0x1e35a7bd) >>> (32 - hashBits)
      const candidate = start + (positions[slot] ?? 0)
      positions[slot] = at - start
      if (input.readInt32LE(candidate) !== bytes) {
        at += tries++ >>> patience
        continue
      }
      let length = shortestCopy
      while (at + length < end && input[candidate + length] === input[at + length]) length++
      this.literal(literal, at)
      this.copy(at - candidate, length)
      at += length
      literal = at
      tries = 1 << patience
    }
    this.literal(literal, end)
  }

  private literal(from: number, to: number): void {
    if (from === to) return
    const last = to - from - 1
    if (last < 60) {
      this.byte((last << 2) | Tag.literal)
    } else if (last < 256) {
      this.byte((60 << 2) | Tag.literal)
      this.byte(last)
    } else {
      this.byte((61 << 2) | Tag.literal)
      this.byte(last & 0xff)
      this.byte(last >>> 8)
    }
    this.written += this.input.copy(this.output, this.written, from, to)
  }

  private copy(offset: number, length: number): void {
    let left = length
    // What remains after the longest copies has at least four bytes, which is the shortest copy.
    for (; left >= longestCopy + shortestCopy; left -= longestCopy) this.shortCopy(offset, longestCopy)
    if (left > longestCopy) {
      this.shortCopy(offset, longestCopy - shortestCopy)
      left -= longestCopy - shortestCopy
    }
    this.shortCopy(offset, left)
  }

  private shortCopy(offset: number, length: number): void {
    if (length < 12 && offset < 2048) {
      this.byte((offset >>> 8 << 5) | (length - shortestCopy << 2) | Tag.copy1)
      this.byte(offset & 0xff)
      return
    }
    this.byte((length - 1 << 2) | Tag.copy2)
    this.byte(offset & 0xff)
    this.byte(offset >>> 8)
  }
}

/** Compresses content to a block. */
export const compress = (content: Uint8Array): Buffer => new Compressor(content).compress()

const malformed = (): RangeError => new RangeError("malformed compressed block")

/** Reads a compressed block. */
class Decompressor {
  private readonly input: Buffer
  private position = 0

  constructor(block: Uint8Array) {
    this.input = Buffer.from(block.buffer, block.byteOffset, block.length)
  }

  uncompress(): Buffer {
    const output = Buffer.allocUnsafe(this.length())
    let written = 0
    while (this.position < this.input.length) {
      const tag = this.byte()
      if ((tag & 3) === Tag.literal) {
        const length = (tag >>> 2 < 60 ? tag >>> 2 : this.number((tag >>> 2) - 59)) + 1
        const end = this.position + length
        if (end > this.input.length || written + length > output.length) throw malformed()
        this.input.copy(output, written, this.position, end)
        this.position = end
        written += length
        continue
      }
      const isShort = (tag & 3) === Tag.copy1
      const length = isShort ? (tag >>> 2 & 7) + shortestCopy : (tag >>> 2) + 1
      const offset = isShort ? (tag >>> 5 << 8) | this.byte() : this.number((tag & 3) === Tag.copy2 ? 2 : 4)
      if (offset === 0 || offset > written || written + length > output.length) throw malformed()
      if (offset >= length) {
        output.copyWithin(written, written - offset, written - offset + length)
      } else {
        // The copy contains what it writes: its source repeats.
        for (let i = written; i < written + length; i++) output[i] = output[i - offset] ?? 0
      }
      written += length
    }
    if (written !== output.length) throw malformed()
    return output
  }

  private byte(): number {
    const byte = this.input[this.position++]
    if (byte === undefined) throw malformed()
    return byte
  }

  /** Reads a little-endian number of `bytes` bytes, from 1 to 4. */
  private number(bytes: number): number {
    if (this.position + bytes > this.input.length) throw malformed()
    const value = this.input.readUIntLE(this.position, bytes)
    this.position += bytes
    return value
  }

  /** Reads the length of the content, which a block cannot exceed by more than its copies allow. */
  private length(): number {
    let length = 0
    for (let factor = 1; factor <= 2 ** 28; factor *= 0x80) {
      const byte = this.byte()
      length += (byte & 0x7f) * factor
      if (byte < 0x80) {
        // No element of three bytes has more than 64 bytes of content.
        if (length > this.input.length * longestCopy) throw malformed()
        return length
      }
    }
    throw malformed()
  }
}

/** Returns the content of a block. Throws a `RangeError` if the block is malformed. */
export const uncompress = (block: Uint8Array): Buffer => new Decompressor(block).uncompress()
