/**
 * An index from hashes of 32 bits to numbers that are given in order, for keys that are kept elsewhere. Of the numbers only a window
 * is in use, which its user passes to each call: from `first` on, `span` of them. The others are as good as removed, so that the user
 * removes nothing when the window moves.
 *
 * Hot path: called for every publish with a key. A bucket is a line of memory that the processor reads at once, so that most calls read one.
 * The index grows in steps: `add` moves a few numbers to the larger table, because moving a million at once stops the process for a second.
 */

/** Words of a bucket: the numbers, the last number that was added to a later bucket because this one was full, and the hashes. */
const bucketBits = 4
const bucketWords = 1 << bucketBits
const bucketNumbers = 7
const passed = bucketNumbers
const hashes = bucketNumbers + 1

/** The number that no key has; where nothing was ever added. */
const none = 0

/** Numbers for each bucket at most: half of the places, so that few buckets are full. */
const numbersForEach = 3.5
const leastBuckets = 16
/** Numbers that one `add` moves. */
const movedAtOnce = 8

class Buckets {
  readonly words: Int32Array
  /** Of the position of a bucket's first word. */
  readonly mask: number

  /** `count` is a power of two. */
  constructor(count: number) {
    this.words = new Int32Array(bucketWords * count)
    this.mask = bucketWords * (count - 1)
  }

  /** The place of the number with this hash for which `isSame` is true; -1 without one. */
  find(hash: number, first: number, span: number, isSame: (number: number) => boolean): number {
    const { mask, words } = this
    for (let bucket = (hash << bucketBits) & mask;; bucket = (bucket + bucketWords) & mask) {
      for (let at = bucket; at < bucket + bucketNumbers; at++) {
        if (words[at + hashes] === hash && isIn(words[at]!, first, span) && isSame(words[at]!)) return at
      }
      if (!isIn(words[bucket + passed]!, first, span)) return -1
    }
  }

  add(hash: number, number: number, first: number, span: number): void {
    const { mask, words } = this
    for (let bucket = (hash << bucketBits) & mask;; bucket = (bucket + bucketWords) & mask) {
      for (let at = bucket; at < bucket + bucketNumbers; at++) {
        if (isIn(words[at]!, first, span)) continue
        words[at] = number
        words[at + hashes] = hash
        return
      }
      const last = words[bucket + passed]!
      if (!isIn(last, first, span) || ((number - last) | 0) > 0) words[bucket + passed] = number
    }
  }
}

/** Whether a number is in the window. */
const isIn = (number: number, first: number, span: number): boolean =>
  number !== none && ((number - first) >>> 0) < span

export class NumberIndex {
  private buckets = new Buckets(leastBuckets)
  /** The smaller table, while numbers from `moving` up to, but not including, `movingEnd` are only there. */
  private before: Buckets | undefined
  private moving = 0
  private movingEnd = 0

  /** Bytes of memory that the tables take. */
  get bytes(): number {
    return this.buckets.words.byteLength + (this.before?.words.byteLength ?? 0)
  }

  /** The number with this hash for which `isSame` is true. */
  find(hash: number, first: number, span: number, isSame: (number: number) => boolean): number | undefined {
    const { before, buckets } = this
    const at = buckets.find(hash, first, span, isSame)
    if (at >= 0) return buckets.words[at]
    if (before === undefined) return undefined
    const old = before.find(hash, first, span, isSame)
    return old < 0 ? undefined : before.words[old]
  }

  /** Adds the last number of the window, which is not 0. `hashAt` returns the hash of a number in the window that is not removed. */
  add(hash: number, number: number, first: number, span: number, hashAt: (number: number) => number | undefined): void {
    if (this.before !== undefined) this.move(first, span, hashAt)
    else if (span > (numbersForEach * this.buckets.words.length) >> bucketBits) this.grow(first, number)
    this.buckets.add(hash, number, first, span)
  }

  /** Removes a number of the window. */
  remove(hash: number, number: number, first: number, span: number): void {
    const isSame = (other: number) => other === number
    for (const buckets of [this.buckets, this.before]) {
      const at = buckets?.find(hash, first, span, isSame) ?? -1
      if (at >= 0) buckets!.words[at] = none
    }
  }

  private grow(first: number, next: number): void {
    this.before = this.buckets
    this.moving = first
    this.movingEnd = next
    this.buckets = new Buckets((2 * this.buckets.words.length) >> bucketBits)
  }

  private move(first: number, span: number, hashAt: (number: number) => number | undefined): void {
    if (((this.moving - first) | 0) < 0) this.moving = first
    for (let left = movedAtOnce; left > 0 && ((this.movingEnd - this.moving) | 0) > 0; left--) {
      const hash = hashAt(this.moving)
      if (hash !== undefined) this.buckets.add(hash, this.moving, first, span)
      this.moving = (this.moving + 1) | 0
    }
    if (((this.movingEnd - this.moving) | 0) <= 0) this.before = undefined
  }
}
