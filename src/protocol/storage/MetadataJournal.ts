/**
 * The journal of `nsqd.dat` (docs/protocol/files.md#journal): the topics and channels created since that file was written, one
 * per line. It makes a creation durable with one short append, regardless of the number of topics. NSQ's nsqd does not know the
 * journal; if it writes nsqd.dat, the journal is void.
 *
 * - `created <queue>`: the topic, or the channel as `topic:channel`, exists.
 * - `saved <checksum> <position>`: nsqd.dat with this CRC-32 contains the journal up to the position, in bytes. The line is
 *   written before nsqd.dat is replaced, so that one line matches nsqd.dat at any time.
 */

/** The journal's name in the data directory. */
export const journalFileName = "nsqd.journal.dat"

/** Encodes the line of a creation. */
export const encodeCreated = (queue: string): string => `created ${queue}\n`

/** Encodes the line of a new nsqd.dat. */
export const encodeSaved = (checksum: number, position: number): string =>
  `saved ${checksum.toString(16).padStart(8, "0")} ${position}\n`

const lineOf = /^(?:created (?<queue>\S+)|saved (?<checksum>[0-9a-f]{8}) (?<position>\d+))$/

/**
 * Returns the names of the queues created since nsqd.dat with this checksum was written. Empty if the journal does not contain
 * the checksum, because another program has written nsqd.dat. A last line without a line end is ignored.
 */
export const createdSince = (journal: string, checksum: number): ReadonlyArray<string> => {
  const expected = checksum.toString(16).padStart(8, "0")
  const created: Array<{ readonly queue: string; readonly at: number }> = []
  let from = Infinity
  let at = 0
  for (let end = journal.indexOf("\n"); end >= 0; end = journal.indexOf("\n", at)) {
    const fields = lineOf.exec(journal.slice(at, end))?.groups
    if (fields?.queue !== undefined) created.push({ queue: fields.queue, at })
    else if (fields?.checksum === expected) from = Number(fields.position)
    at = end + 1
  }
  return created.filter((line) => line.at >= from).map(({ queue }) => queue)
}
