/**
 * The limit of age of a channel's messages (docs/policies.md#limits): its own, and that of its topic. Waiting messages that are older
 * are removed, and the time of the oldest message is known to the topic, which refuses publishes by it.
 *
 * Nothing happens per message: the channel's worker looks once a second, called by `PolicySweeps`.
 */
import { Effect } from "effect"
import { frameMillis } from "../../../protocol/client/FrameFields.ts"
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import { finish, type Turns } from "../../core/Turns.ts"
import type { ChannelPolicy, TopicPolicy } from "../policies/ResolvedPolicy.ts"
import type { WaitingMessages } from "./Backlog.ts"
import type { MemoryQueue } from "./MemoryQueue.ts"

/** Messages that are removed in one turn. */
const removedAtOnce = 1024

/** The channel, as its limit sees it. */
export interface AgedChannel {
  /** Its name in the log. */
  readonly label: string
  readonly turns: Turns
  readonly backlog: () => WaitingMessages
  /** In ms since the Unix epoch. */
  readonly wallMillis: () => number
  /** Whether nothing may be removed: the channel is closed, or its queue is replaced. */
  readonly isEnding: () => boolean
  /** Whether no message can become a dead letter for now. */
  readonly isBurialFull: () => boolean
  /** Makes a message a dead letter, which is alone in its batch. */
  readonly bury: (batch: MessageBatch) => void
  readonly noteDropped: (count: number) => void
  /** Calls `each` for every message in flight, in steps. */
  readonly eachInFlight: (each: (batch: MessageBatch, position: number) => void) => Generator<void, void>
}

type Limit = Pick<ChannelPolicy | TopicPolicy, "maxAgeMillis" | "onFull">

/** What happens to a message that is too old. */
type Removal = "drop" | "bury"

/** When the oldest message of a queue was accepted. The messages of a span have the order of publishing. */
export const oldestIn = (queue: MemoryQueue): number => {
  let oldest = Infinity
  queue.forEach(({ batch, position }) => {
    oldest = Math.min(oldest, frameMillis(batch.frames, position))
  })
  return oldest
}

export class AgeLimit {
  /** When the oldest message was accepted that waits or is in flight, in ms since the Unix epoch, as of the last look. */
  oldest = Infinity
  /** Whether the worker has to look. */
  isDue = true
  private readonly own: Limit
  private readonly topic: Limit
  private readonly channel: AgedChannel
  private now = 0

  private constructor(own: Limit, topic: Limit, channel: AgedChannel) {
    this.own = own
    this.topic = topic
    this.channel = channel
  }

  /** Returns the limit of a channel with these policies; `undefined` if they have none. */
  static of(own: Limit, topic: Limit, channel: AgedChannel): AgeLimit | undefined {
    return own.maxAgeMillis + topic.maxAgeMillis > 0 ? new AgeLimit(own, topic, channel) : undefined
  }

  private removes({ maxAgeMillis, onFull }: Limit): boolean {
    return maxAgeMillis > 0 && onFull !== "reject"
  }

  private removalOf(accepted: number): Removal | undefined {
    for (const limit of [this.own, this.topic]) {
      if (this.removes(limit) && this.now - accepted > limit.maxAgeMillis) {
        return limit.onFull === "dead_letter" ? "bury" : "drop"
      }
    }
    return undefined
  }

  /** Removes waiting messages that are too old, and finds the oldest of the others. Only the channel's worker may look. */
  get look(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { channel } = this
      const backlog = channel.backlog()
      this.isDue = false
      this.now = channel.wallMillis()
      if (this.dropsBefore(backlog, 0) > -Infinity) yield* this.dropUnread(backlog)
      while (!channel.isEnding()) {
        if (backlog.hasSpilled) yield* backlog.writeSpilled
        if (backlog.fetched.count === 0 && !backlog.load() && backlog.canFetch) yield* backlog.fetch
        const removed = this.removeFrom(backlog.fetched, removedAtOnce)
        if (removed + this.removeFrom(backlog.memory, removedAtOnce - removed) === 0) break
        yield* channel.turns.next
      }
      let oldest = Infinity
      const look = channel.eachInFlight((batch, position) => {
        oldest = Math.min(oldest, frameMillis(batch.frames, position))
      })
      yield* finish(channel.turns, look)
      // Messages that return meanwhile wait again, and the worker delivers none.
      this.oldest = Math.min(oldest, oldestIn(backlog.memory), oldestIn(backlog.fetched))
    })
  }

  /**
   * Before this time, in ms since the Unix epoch, messages are dropped without being delivered to the channel; `-Infinity` if they become
   * dead letters, or if deferred ones could be among them, which stay. `due` is when they are due, or 0.
   */
  private dropsBefore({ deferred }: WaitingMessages, due: number): number {
    const limits = [this.own, this.topic].filter((limit) => this.removes(limit))
    const isOther = limits.length === 0 || limits.some(({ onFull }) => onFull === "dead_letter")
    if (isOther || deferred.count > 0 || due > this.now || this.channel.isEnding()) return -Infinity
    return this.now - Math.min(...limits.map(({ maxAgeMillis }) => maxAgeMillis))
  }

  private dropUnread(backlog: WaitingMessages): Effect.Effect<void> {
    if (backlog.dropBefore === undefined) return Effect.void
    return Effect.matchEffect(backlog.dropBefore((due) => this.dropsBefore(backlog, due)), {
      onSuccess: (count) => Effect.sync(() => this.channel.noteDropped(count)),
      onFailure: ({ message }) =>
        Effect.logWarning(`${this.channel.label}: failed to look for old messages - ${message}`)
    })
  }

  /** Removes at most `most` messages of the queue that are too old; returns how many. */
  private removeFrom(queue: MemoryQueue, most: number): number {
    if (most === 0 || this.removalOf(oldestIn(queue)) === undefined) return 0
    let removed = 0
    for (const span of queue.takeAll()) {
      const { batch } = span
      while (removed < most && span.index < span.end) {
        const removal = this.removalOf(frameMillis(batch.frames, span.position))
        if (removal === undefined || (removal === "bury" && this.channel.isBurialFull())) break
        if (removal === "bury") {
          this.channel.bury(batch.single(span.position))
        } else {
          batch.settle(span.position, 1)
          this.channel.noteDropped(1)
        }
        span.position += batch.frames.readInt32BE(span.position) + 4
        span.index++
        removed++
      }
      if (span.index < span.end) queue.push(span)
    }
    return removed
  }
}
