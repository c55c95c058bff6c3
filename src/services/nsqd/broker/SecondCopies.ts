/**
 * Finds messages that a topic hands over again although its channels have stored them. A topic records a hand-over
 * shortly afterwards: after a kill in between, the messages are in the disk queues of both, and the topic hands them
 * over again after the restart. They come first, so the first run of which no channel has anything ends the search.
 */
import { Effect } from "effect"
import { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import { recordsWithout } from "../../../protocol/storage/RecordIdentity.ts"
import type { ReceivingChannel } from "./TopicQueue.ts"

export class SecondCopies {
  /** Whether further copies are possible. */
  isSearching: boolean
  private held: Map<ReceivingChannel, ReadonlySet<string>> | undefined

  /** `hasMessages`: whether the topic's queue had messages when it was opened. */
  constructor(hasMessages: boolean) {
    this.isSearching = hasMessages
  }

  /**
   * For each channel that has some messages of the run, the messages that it does not have. A channel whose disk
   * cannot be read gets everything: a duplicate is better than a lost message.
   */
  missing(
    channels: ReadonlyArray<ReceivingChannel>,
    run: ReadonlyArray<MessageBatch>
  ): Effect.Effect<ReadonlyMap<ReceivingChannel, ReadonlyArray<MessageBatch>>> {
    return Effect.gen({ self: this }, function*() {
      const held = this.held ??= yield* heldBy(channels)
      const missing = new Map<ReceivingChannel, ReadonlyArray<MessageBatch>>()
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

const heldBy = Effect.fnUntraced(function*(channels: ReadonlyArray<ReceivingChannel>) {
  const held = new Map<ReceivingChannel, ReadonlySet<string>>()
  for (const channel of channels) {
    const identities = yield* channel.recentMessages
    if (identities.size > 0) held.set(channel, identities)
  }
  return held
})

const count = (batches: ReadonlyArray<MessageBatch>): number => batches.reduce((sum, batch) => sum + batch.count, 0)

const without = (batch: MessageBatch, identities: ReadonlySet<string>): ReadonlyArray<MessageBatch> => {
  // Published after the restart, because delays do not survive one.
  if (batch.deferMillis > 0) return [batch]
  const records = batch.encodeRecords(0, batch.count)
  const left = recordsWithout(records, identities)
  return left[0] === records ? [batch] : left.map((part) => MessageBatch.stored(part))
}
