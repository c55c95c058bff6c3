/**
 * The time-to-live of a channel's messages (docs/policies.md#time-to-live): by the channel's policy, or by the message's own header.
 *
 * Hot path: a channel without a time-to-live pays one comparison per delivered run.
 */
import { headerValue } from "../../../protocol/client/Headers.ts"
import { frameHeaders, frameTimestampOffset, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { Time } from "../../core/Time.ts"
import type { ChannelPolicy } from "../policies/ResolvedPolicy.ts"

/** The header with the time when a message expires, in ms since the Unix epoch. */
export const expiryHeader = "nsq-expires"

/** Expired messages that are dropped in one turn. */
const dropsPerTurn = 4096

export class Expiry {
  private readonly policy: Pick<ChannelPolicy, "ttlMillis">
  private readonly time: Pick<Time, "wallNanos">
  private dropped = 0
  private left = dropsPerTurn
  private now = 0

  constructor(policy: Pick<ChannelPolicy, "ttlMillis">, time: Pick<Time, "wallNanos">) {
    this.policy = policy
    this.time = time
  }

  /** Number of messages that were dropped because they had expired. */
  get count(): number {
    return this.dropped
  }
  /** Whether so many messages were dropped that others should have their turn. */
  get isTurnOver(): boolean {
    return this.left <= 0
  }

  /** A new turn begins. */
  beginTurn(): void {
    this.left = dropsPerTurn
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
    if (ttlMillis > 0) {
      const at = position + frameTimestampOffset
      // A double is exact to 256 ns.
      const acceptedNanos = frames.readUInt32BE(at) * 2 ** 32 + frames.readUInt32BE(at + 4)
      if (acceptedNanos / 1e6 + ttlMillis <= this.now) return true
    }
    const expires = headerValue(frameHeaders(frames, position), expiryHeader)
    return expires !== undefined && Number(expires) <= this.now
  }

  noteDropped(count: number): void {
    this.dropped += count
    this.left -= count
  }
}
