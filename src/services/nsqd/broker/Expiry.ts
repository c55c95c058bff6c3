/**
 * The time-to-live of a channel's messages (docs/policies.md#time-to-live): by the channel's policy, or by the message's own header.
 *
 * Hot path: a channel without a time-to-live pays one comparison per delivered run.
 */
import { frameMillis, headerStartAt } from "../../../protocol/client/FrameFields.ts"
import { valueAt } from "../../../protocol/client/HeaderLines.ts"
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { Time } from "../../core/Time.ts"
import type { ChannelPolicy } from "../policies/ResolvedPolicy.ts"
import type { MemoryQueue, Span } from "./MemoryQueue.ts"

/** The header with the time when a message expires, in ms since the Unix epoch. */
export const expiryHeader = "nsq-expires"

/** The reason of dead letters. */
const reason = "expired"

/** Expired messages that are removed in one turn. */
const removalsPerTurn = 4096

/** How a channel makes dead letters of expired messages. */
export interface ExpiryBurial {
  /** Takes a message that is alone in its batch. */
  readonly bury: (batch: MessageBatch, reason: string, client: string) => void
  /** Whether no message can be taken for now. */
  readonly isFull: () => boolean
}

export class Expiry {
  private readonly policy: Pick<ChannelPolicy, "buriesExpired" | "ttlMillis">
  private readonly time: Pick<Time, "wallNanos">
  private readonly burial: ExpiryBurial
  private dropped = 0
  private left = removalsPerTurn
  private now = 0
  private isHeld = false
  private seesHeaders = false

  constructor(
    policy: Pick<ChannelPolicy, "buriesExpired" | "ttlMillis">,
    time: Pick<Time, "wallNanos">,
    burial: ExpiryBurial
  ) {
    this.policy = policy
    this.time = time
    this.burial = burial
  }

  /** Number of messages that were dropped because they had expired. */
  get count(): number {
    return this.dropped
  }
  /** Messages have had headers: they may have a time-to-live of their own. */
  noteHeaders(): void {
    this.seesHeaders = true
  }
  /** Whether waiting messages without a consumer are looked at. */
  get isSwept(): boolean {
    return this.policy.ttlMillis > 0 || this.policy.buriesExpired || this.seesHeaders
  }
  /** Whether expired messages become dead letters. */
  get buries(): boolean {
    return this.policy.buriesExpired
  }
  /** Whether so many messages were removed that others should have their turn, or an expired one cannot be removed. */
  get isTurnOver(): boolean {
    return this.left <= 0 || this.isHeld
  }
  /** Whether an expired message was met in this turn that cannot become a dead letter for now: nothing behind it is delivered. */
  get isBlocked(): boolean {
    return this.isHeld
  }

  /** A new turn begins. */
  beginTurn(): void {
    this.left = removalsPerTurn
    this.isHeld = false
  }

  /** Whether messages of the batch can be expired now; sets the time for `isExpired`. */
  concerns(batch: MessageBatch): boolean {
    if (this.policy.ttlMillis === 0 && !batch.hasHeaders) return false
    this.now = Number(this.time.wallNanos() / 1_000_000n)
    return true
  }

  /** Whether the message at `position` of the batch that `concerns` was called for is expired. */
  isExpired(frames: Buffer, position: number): boolean {
    const { ttlMillis } = this.policy
    return (ttlMillis > 0 && frameMillis(frames, position) + ttlMillis <= this.now) ||
      this.isOwnOver(frames, position, this.now)
  }

  /** Whether the message's own time-to-live is over at `now`, in ms since the Unix epoch. */
  isOwnOver(frames: Buffer, position: number, now: number): boolean {
    const start = headerStartAt(frames, position, expiryHeader)
    if (start === undefined) return false
    const expires = valueAt(frames, start)
    // An empty value is not a number, but JavaScript's `Number` makes it 0.
    return Number(expires) <= now && expires !== ""
  }

  /** Removes the first messages of the span, at the head of the queue, that are expired; `concerns` was called for its batch. */
  removeFrom(queue: MemoryQueue, { batch, end, index, position }: Span): void {
    const { frames } = batch
    const { buriesExpired } = this.policy
    let at = position
    let count = 0
    while (index + count < end && this.isExpired(frames, at)) {
      if (buriesExpired) {
        if (this.burial.isFull()) {
          this.isHeld = true
          break
        }
        this.burial.bury(batch.single(at), reason, "")
      }
      at += frames.readInt32BE(at) + 4
      count++
    }
    if (count === 0) return
    if (!buriesExpired) {
      batch.settle(position, count)
      this.dropped += count
    }
    this.left -= count
    queue.advance(count, at - position)
  }

  noteDropped(count: number): void {
    this.dropped += count
  }
}
