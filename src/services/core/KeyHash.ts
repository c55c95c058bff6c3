/**
 * A keyed hash of 32 bits for tables: NH, from the message authentication code UMAC (RFC 4418), of halves of words. A client that does not
 * know its keys cannot choose words that collide more often than by chance, one pair of 65,536, and make a table slow.
 *
 * Hot path: called for every publish with a key. The products do not depend on each other; a hash of rounds, as SipHash, took six times as
 * long.
 */

/** The maximum number of words. */
export const hashedWordsMax = 15

/** The system's random numbers. They affect the order within a table only: nothing depends on them. */
let keys: Int32Array | undefined

/** Only now, because programs without such keys need not load the module of random numbers. */
const randomKeys = (): Int32Array => crypto.getRandomValues(new Int32Array(2 * hashedWordsMax))

const half = 0xffff

/** Makes each bit depend on all others: the end of MurmurHash3. */
const mixed = (sum: number): number => {
  let hash = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Hashes the first `count` words. Those of different numbers of words must differ in a word that all have, such as their length. */
export const hashWords = (words: Int32Array, count: number): number => {
  const random = keys ??= randomKeys()
  let sum = 0
  for (let at = 0; at < count; at++) {
    const word = words[at]!
    sum = (sum + Math.imul((word + random[2 * at]!) & half, ((word >>> 16) + random[2 * at + 1]!) & half)) | 0
  }
  return mixed(sum)
}
