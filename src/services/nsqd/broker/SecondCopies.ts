/**
 * What a topic's channels have of the messages that their topic hands over first. A topic records what it has handed over
 * shortly afterwards: if the daemon is killed in between, the messages are in the disk queues of both, and the topic hands
 * them over again after the restart. They come first then, so the first run that no channel has anything of ends the search.
 */
import { Effect } from "effect"
import { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import { recordsWithout } from "../../../protocol/storage/RecordIdentity.ts"
import type { Channel } from "./Channel.ts"

export class SecondCopies {
  /** Whether there may be more. */
  isSearching: boolean
  private held: Map<Channel, ReadonlySet<string>> | undefined

  /** `hasMessages`: whether the topic's queue had any when it was opened. */
  constructor(hasMessages: boolean) {
    this.isSearching = hasMessages
  }

  /**
   * The messages of a run that each channel does not have, for those channels that have some of it. A channel whose disk
   * cannot be read gets everything: a message that comes twice is better than one that does not come.
   */
  missing(
    channels: ReadonlyArray<Channel>,
    run: ReadonlyArray<MessageBatch>
  ): Effect.Effect<ReadonlyMap<Channel, ReadonlyArray<MessageBatch>>> {
    return Effect.gen({ self: this }, function*() {
      const held = this.held ??= yield* heldBy(channels)
      const missing = new Map<Channel, ReadonlyArray<MessageBatch>>()
      for (const channel of channels) {
        const identities = held.get(channel)
        if (identities === undefined) continue
        const left = run.flatMap((batch) => without(batch, identities))
        if (count(left) < count(run)) missing.set(channel, left)
      }
      if (missing.size === 0) {
        this.isSearching = false
        this.held = undefined
      }
      return missing
    })
  }
}

const heldBy = Effect.fnUntraced(function*(channels: ReadonlyArray<Channel>) {
  const held = new Map<Channel, ReadonlySet<string>>()
  for (const channel of channels) {
    const identities = yield* channel.recentMessages
    if (identities.size > 0) held.set(channel, identities)
  }
  return held
})

const count = (batches: ReadonlyArray<MessageBatch>): number => batches.reduce((sum, batch) => sum + batch.count, 0)

const without = (batch: MessageBatch, identities: ReadonlySet<string>): ReadonlyArray<MessageBatch> => {
  // Published since the restart: delays are not remembered beyond it.
  if (batch.deferMillis > 0) return [batch]
  const records = batch.encodeRecords(0, batch.count)
  const left = recordsWithout(records, identities)
  return left[0] === records ? [batch] : left.map((part) => MessageBatch.stored(part))
}
