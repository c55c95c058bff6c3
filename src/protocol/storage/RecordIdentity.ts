/**
 * What tells a message from all others, wherever its record lies: a topic and its channels keep the same message in queues of
 * their own.
 *
 * Plain loops over bytes.
 */
import { recordHeaderSize, type StoredRecords } from "../client/MessageBatch.ts"

const attemptsAt = 12
const idAt = 14

/** Size, timestamp and id of the record at `at`. Attempts differ between the copies of a message. */
const identityAt = (bytes: Buffer, at: number): string =>
  bytes.toString("latin1", at, at + attemptsAt) + bytes.toString("latin1", at + idAt, at + recordHeaderSize)

/** Adds the identities of whole records that lie one after another from `start` to `end`. */
export const addIdentities = (identities: Set<string>, bytes: Buffer, start: number, end: number): void => {
  for (let at = start; at < end; at += 4 + bytes.readInt32BE(at)) identities.add(identityAt(bytes, at))
}

/** The records whose identities are not among these, as runs. */
export const recordsWithout = (
  records: StoredRecords,
  identities: ReadonlySet<string>
): ReadonlyArray<StoredRecords> => {
  const bytes = Buffer.from(records.bytes.buffer, records.bytes.byteOffset, records.bytes.length)
  const runs: Array<StoredRecords> = []
  let start = records.start
  let count = 0
  for (let at = records.start; at < records.end;) {
    const next = at + 4 + bytes.readInt32BE(at)
    if (identities.has(identityAt(bytes, at))) {
      if (count > 0) runs.push({ bytes, start, end: at, count })
      start = next
      count = 0
    } else count++
    at = next
  }
  if (count === records.count) return [records]
  if (count > 0) runs.push({ bytes, start, end: records.end, count })
  return runs
}
