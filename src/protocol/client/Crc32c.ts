/** CRC-32C in JavaScript, for platforms without the native code. `node:zlib` has CRC-32 with another polynomial only. */

const polynomial = 0x82f63b78

/** Tables for eight bytes at once: the nth has the checksum of a byte that n zero bytes follow. */
const tables = (): Int32Array => {
  const table = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial
    table[byte] = crc
  }
  for (let i = 256; i < table.length; i++) {
    const before = table[i - 256] ?? 0
    table[i] = (before >>> 8) ^ (table[before & 0xff] ?? 0)
  }
  return table
}

let loaded: Int32Array | undefined

/** Returns the CRC-32C of bytes, from 0 to 2^32 - 1. */
export const crc32c = (bytes: Uint8Array): number => {
  const table = loaded ??= tables()
  const entry = (row: number, byte: number): number => table[(row << 8) | (byte & 0xff)] ?? 0
  const at = (i: number): number => bytes[i] ?? 0
  let crc = -1
  let i = 0
  for (const end = bytes.length - 7; i < end; i += 8) {
    const first = crc ^ (at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24))
    crc = entry(7, first) ^ entry(6, first >>> 8) ^ entry(5, first >>> 16) ^ entry(4, first >>> 24) ^
      entry(3, at(i + 4)) ^ entry(2, at(i + 5)) ^ entry(1, at(i + 6)) ^ entry(0, at(i + 7))
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ entry(0, crc ^ at(i))
  return ~crc >>> 0
}
