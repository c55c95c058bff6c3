/**
 * A key as words of 32 bits, which `RecentKeys` keeps and compares: its hash, its length, and its bytes.
 *
 * Hot path: set for every publish with a key, from the bytes that have arrived. A string of the key took as long as all else here.
 */
import process from "node:process"
import { hashedWordsMax, hashWords } from "./KeyHash.ts"

/** Words of a key. */
export const keyWords = 1 + hashedWordsMax
/** Words before the bytes. */
const headWords = 2
const keyBytesMax = 4 * (keyWords - headWords)
/** The length of a digest, which stands for a key that has more bytes. */
const digestMark = -1

/** Ends the line of a header. */
const lineFeed = 0x0a

/** Loads `node:crypto` with the first long key: a client that starts needs none. */
const digestOf = (bytes: Uint8Array): Buffer => process.getBuiltinModule("node:crypto").hash("sha256", bytes, "buffer")

export class KeyWords {
  readonly words = new Int32Array(keyWords)
  /** Words that the key has; the others are those of keys before. */
  count = 0
  private readonly hashed = this.words.subarray(1)

  get hash(): number {
    return this.words[0]!
  }

  /** Sets the key to the bytes from `start` to the end of their line. */
  setLine(bytes: Uint8Array, start: number): void {
    let end = start
    while (end < bytes.length && bytes[end] !== lineFeed) end++
    this.set(bytes, start, end)
  }

  setText(text: string): void {
    const bytes = Buffer.from(text)
    this.set(bytes, 0, bytes.length)
  }

  private set(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length <= keyBytesMax) return this.copy(bytes, start, end, length)
    const digest = digestOf(bytes.subarray(start, end))
    this.copy(digest, 0, digest.length, digestMark)
  }

  private copy(bytes: Uint8Array, start: number, end: number, mark: number): void {
    const { words } = this
    words[1] = mark
    let count = headWords
    let at = start
    for (; at + 4 <= end; at += 4) {
      words[count++] = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24
    }
    if (at < end) {
      let last = 0
      for (let shift = 0; at < end; at++, shift += 8) last |= bytes[at]! << shift
      words[count++] = last
    }
    words[0] = hashWords(this.hashed, count - 1)
    this.count = count
  }
}
