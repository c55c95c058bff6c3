/**
 * Bodies of messages. A body states its row in the ledger and its size; all other bytes follow from these two, so that every
 * changed byte is visible.
 */
const patternBytes = 1 << 20
const pattern = Buffer.alloc(patternBytes)
for (let i = 0, word = 0x9e3779b9; i < patternBytes; i += 4) {
  word = Math.imul(word ^ (word >>> 15), 0x85ebca6b) + i | 0
  pattern.writeInt32LE(word, i)
}

/** The body of a row: its number, then bytes that are derived from it. */
export const bodyOf = (row: number, size: number): Buffer => {
  const head = Buffer.from(`${row},${size},`)
  const from = Math.imul(row, 7919) >>> 13
  return Buffer.concat([head, pattern.subarray(from, from + Math.max(0, size - head.length))])
}

/** The row of a body; `undefined` if a byte of it is wrong. */
export const rowOf = (body: Buffer): number | undefined => {
  const match = /^(\d{1,9}),(\d{1,7}),/.exec(body.toString("latin1", 0, 20))
  if (match === null) return undefined
  const row = Number(match[1])
  return bodyOf(row, Number(match[2])).equals(body) ? row : undefined
}
