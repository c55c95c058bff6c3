/**
 * The NSQ topics of a persisted queue: one with its elements, one with the elements that failed, and one with its ids if the broker
 * keeps them.
 */
import { createHash } from "node:crypto"
import { ChannelName, maxNameLength, TopicName } from "../../protocol/client/Names.ts"

/** The topics of a queue. */
export interface QueueTopics {
  readonly elements: TopicName
  readonly failed: TopicName
  readonly ids: TopicName
}

/** The channel of the elements, which all workers share. */
export const workers: ChannelName = ChannelName.make("workers")

/** The channel of the ids. */
export const ledger: ChannelName = ChannelName.make("ledger")

const longestSuffix = ".failed".length

/** Returns the names of the topics. A name that is too long, or has characters that topics do not have, gets a hash. */
export const of = (prefix: string, queue: string): QueueTopics => {
  const full = `${prefix}${queue}`
  const valid = full.replaceAll(/[^.a-zA-Z0-9_-]/g, "_")
  const limit = maxNameLength - longestSuffix
  const hash = createHash("sha256").update(full).digest("hex").slice(0, 12)
  const base = valid === full && full.length <= limit ? full : `${valid.slice(0, limit - hash.length - 1)}-${hash}`
  return {
    elements: TopicName.make(base),
    failed: TopicName.make(`${base}.failed`),
    ids: TopicName.make(`${base}.ids`)
  }
}
