/**
 * The identity of a message, independent of the position of its record: a topic and its channels store the same message in
 * separate queues.
 *
 * Plain loops over bytes.
 */
import { recordHeaderSize, type StoredRecords } from "../client/MessageBatch.ts"

const attemptsAt = 12
const idAt = 14

/** Returns size, timestamp and id of the record at `at`. Attempts are excluded, because they differ between copies. */
const identityAt = (bytes: Buffer, at: number): string =>
  bytes.toString("latin1", at, at + attemptsAt) + bytes.toString("latin1", at + idAt, at + recordHeaderSize)

/** Adds the identities of consecutive complete records from `start` to `end`. */
export const addIdentities = (identities: Set<string>, bytes: Buffer, start: number, end: number): void => {
  for (let at = start; at < end; at += 4 + bytes.readInt32BE(at)) identities.add(identityAt(bytes, at))
}

/** Returns the records whose identities are not in the set, as runs of consecutive records. */
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
