/**
 * The limits of a channel that remove its oldest waiting messages (docs/policies.md#limits): its own, and those of its topic.
 */
import { messageIdLength } from "../../../protocol/client/Message.ts"
import { frameIdOffset, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { ChannelPolicy, TopicPolicy } from "../policies/ResolvedPolicy.ts"
import type { WaitingMessages } from "./Backlog.ts"
import type { MemoryQueue } from "./MemoryQueue.ts"

/** Messages to remove, and what happens to them. */
export interface Excess {
  readonly count: number
  readonly bury: boolean
}

/** The number of the oldest messages to remove. */
const excessOf = (
  { maxBytes, maxDepth, onFull }: Pick<TopicPolicy, "maxDepth" | "maxBytes" | "onFull">,
  unfinished: number,
  bytesOf: (count: number) => number
): number => {
  if (onFull === "reject") return 0
  const byDepth = maxDepth > 0 ? unfinished - maxDepth : 0
  if (maxBytes === 0 || bytesOf(unfinished) <= maxBytes) return Math.max(0, byDepth)
  // The largest number of newest messages that fit.
  let low = 0
  let high = unfinished
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (bytesOf(middle) <= maxBytes) low = middle
    else high = middle - 1
  }
  return Math.max(byDepth, unfinished - low)
}

export class Trimming {
  /** Whether a limit removes messages. */
  isOn = false
  private readonly own: ChannelPolicy
  private readonly topic: TopicPolicy
  /** The bytes of the newest messages of the topic. */
  private readonly bytesOf: (count: number) => number

  constructor(own: ChannelPolicy, topic: TopicPolicy, bytesOf: (count: number) => number) {
    this.own = own
    this.topic = topic
    this.bytesOf = bytesOf
    this.policyChanged()
  }

  policyChanged(): void {
    const removes = ({ maxBytes, maxDepth, onFull }: ChannelPolicy | TopicPolicy) =>
      onFull !== "reject" && maxDepth + maxBytes > 0
    this.isOn = removes(this.own) || removes(this.topic)
  }

  /** What has to be removed of a channel with `unfinished` messages. */
  excess(unfinished: number): Excess {
    const own = excessOf(this.own, unfinished, this.bytesOf)
    const topic = excessOf(this.topic, unfinished, this.bytesOf)
    return own >= topic
      ? { count: own, bury: this.own.onFull === "dead_letter" }
      : { count: topic, bury: this.topic.onFull === "dead_letter" }
  }
}

/** Removes at most `most` of the oldest loaded messages; `each` gets them. Returns how many. */
export const removeOldest = (
  { fetched, memory }: Pick<WaitingMessages, "fetched" | "memory">,
  most: number,
  each: (batch: MessageBatch, position: number) => void
): number => {
  let removed = 0
  while (removed < most) {
    const queue = olderOf(memory, fetched)
    if (queue === undefined) break
    const { batch, end, index, position } = queue.peek()
    const count = Math.min(most - removed, end - index)
    let at = position
    for (let i = 0; i < count; i++) {
      each(batch, at)
      at += batch.frames.readInt32BE(at) + 4
    }
    queue.advance(count, at - position)
    removed += count
  }
  return removed
}

/** Ids of one topic increase in the order of publishing. */
const oldestId = (queue: MemoryQueue): Buffer => {
  const { batch, position } = queue.peek()
  return batch.frames.subarray(position + frameIdOffset, position + frameIdOffset + messageIdLength)
}

const olderOf = (memory: MemoryQueue, fetched: MemoryQueue): MemoryQueue | undefined => {
  if (memory.count === 0) return fetched.count === 0 ? undefined : fetched
  return fetched.count > 0 && oldestId(fetched).compare(oldestId(memory)) < 0 ? fetched : memory
}
