/**
 * HalfSipHash-1-3: a keyed hash of 32 bits for tables. Without its seed, a client cannot choose keys that collide and make a table slow.
 *
 * Hot path: called for every publish with a key.
 */

/** The system's random numbers. They affect the order within a table only: nothing depends on them. */
let seed: readonly [low: number, high: number] | undefined

/** Only now, because programs without such keys need not load the module of random numbers. */
const randomSeed = (): readonly [low: number, high: number] => {
  const [low = 0, high = 0] = crypto.getRandomValues(new Int32Array(2))
  return [low, high]
}

/** The constants that distinguish the halves of the state. */
const lowTag = 0x6c796765
const highTag = 0x74656462

/** Hashes the first `count` words. */
export const hashWords = (words: Int32Array, count: number): number => {
  const [low, high] = seed ??= randomSeed()
  let a = low
  let b = high
  let c = lowTag ^ low
  let d = highTag ^ high
  // The words, a last one with their number, and three rounds without input.
  for (let at = 0; at < count + 4; at++) {
    const word = at < count ? words[at]! : at === count ? count << 24 : 0
    if (at === count + 1) c ^= 0xff
    d ^= word
    a = (a + b) | 0
    b = ((b << 5) | (b >>> 27)) ^ a
    a = (a << 16) | (a >>> 16)
    c = (c + d) | 0
    d = ((d << 8) | (d >>> 24)) ^ c
    a = (a + d) | 0
    d = ((d << 7) | (d >>> 25)) ^ a
    c = (c + b) | 0
    b = ((b << 13) | (b >>> 19)) ^ c
    c = (c << 16) | (c >>> 16)
    a ^= word
  }
  return b ^ d
}
