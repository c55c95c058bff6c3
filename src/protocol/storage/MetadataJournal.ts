/**
 * The journal beside `nsqd.dat`: the topics and channels that were created since that file was written, one per line. It makes
 * a creation durable with one short append, however many topics nsqd.dat lists. NSQ's nsqd does not know the journal; what it
 * writes to nsqd.dat makes the journal void.
 *
 * - `created <queue>`: the topic, or the channel as `topic:channel`, exists.
 * - `saved <checksum> <position>`: nsqd.dat with this CRC-32 contains what the journal says before the position, in bytes.
 *   The line is written before nsqd.dat is replaced, so that one line fits nsqd.dat at any moment.
 */

/** The journal's name in the data directory. */
export const journalFileName = "nsqd.journal.dat"

export const encodeCreated = (queue: string): string => `created ${queue}\n`

export const encodeSaved = (checksum: number, position: number): string =>
  `saved ${checksum.toString(16).padStart(8, "0")} ${position}\n`

const lineOf = /^(?:created (?<queue>\S+)|saved (?<checksum>[0-9a-f]{8}) (?<position>\d+))$/

/**
 * The names of the queues created since nsqd.dat had this checksum. Empty for an nsqd.dat that the journal does not know:
 * another program has written it since. A last line without its end is ignored.
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
