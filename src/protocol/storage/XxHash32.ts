/**
 * XXH32 (https://github.com/Cyan4973/xxHash), seed 0: the checksum of single records on disk. In plain JavaScript it is the
 * fastest hash of its quality, and needs no call to native code for each record.
 *
 * Hot path: a plain loop with four independent lanes.
 */
const prime1 = 0x9e3779b1 | 0
const prime2 = 0x85ebca77 | 0
const prime3 = 0xc2b2ae3d | 0
const prime4 = 0x27d4eb2f | 0
const prime5 = 0x165667b1 | 0

/** Returns the hash of the bytes `start` to `end` of the view, as a signed 32-bit integer. */
export const xxHash32 = (view: DataView, start: number, end: number): number => {
  const { imul } = Math
  let at = start
  let hash = prime5
  if (end - start >= 16) {
    let a = (prime1 + prime2) | 0
    let b = prime2
    let c = 0
    let d = -prime1 | 0
    for (const last = end - 16; at <= last; at += 16) {
      a = (a + imul(view.getInt32(at, true), prime2)) | 0
      a = imul((a << 13) | (a >>> 19), prime1)
      b = (b + imul(view.getInt32(at + 4, true), prime2)) | 0
      b = imul((b << 13) | (b >>> 19), prime1)
      c = (c + imul(view.getInt32(at + 8, true), prime2)) | 0
      c = imul((c << 13) | (c >>> 19), prime1)
      d = (d + imul(view.getInt32(at + 12, true), prime2)) | 0
      d = imul((d << 13) | (d >>> 19), prime1)
    }
    hash = ((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))
  }
  hash = (hash + end - start) | 0
  for (; at + 4 <= end; at += 4) {
    hash = (hash + imul(view.getInt32(at, true), prime3)) | 0
    hash = imul((hash << 17) | (hash >>> 15), prime4)
  }
  for (; at < end; at++) {
    hash = (hash + imul(view.getUint8(at), prime5)) | 0
    hash = imul((hash << 11) | (hash >>> 21), prime1)
  }
  hash = imul(hash ^ (hash >>> 15), prime2)
  hash = imul(hash ^ (hash >>> 13), prime3)
  return hash ^ (hash >>> 16)
}
