/** The registrations in the form of `/debug`, ordered by key, as an iterator: they are never all in memory as one document. */
import type { DebugEntry, Producer, TopicKey } from "./Registration.ts"

const compare = (a: string, b: string): number => a < b ? -1 : a === b ? 0 : 1

/** Iterates over all producers under each of their keys. */
export function* debugEntries(
  topicKeys: ReadonlyMap<string, TopicKey>,
  producers: Iterable<Producer>
): Generator<DebugEntry> {
  // Keys of topics end with a colon: `a-b:` sorts before `a:`.
  const topics = Array.from(topicKeys.values()).sort((a, b) => compare(`${a.name}:`, `${b.name}:`))
  for (const { channels, name } of topics) {
    for (const channel of Array.from(channels.values()).sort((a, b) => compare(a.name, b.name))) {
      const key = `channel:${name}:${channel.name}`
      for (const producer of channel.producers) yield { key, producer, tombstonedAt: undefined }
    }
  }
  for (const producer of producers) yield { key: "client::", producer, tombstonedAt: undefined }
  for (const { name, producers } of topics) {
    for (const [producer, tombstonedAt] of producers) yield { key: `topic:${name}:`, producer, tombstonedAt }
  }
}
