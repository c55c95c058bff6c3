/**
 * The limits of a topic and of its channels that refuse publishes (docs/policies.md#limits). A topic without such limits does not
 * come here.
 */
import { Duration, Effect } from "effect"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import * as Completion from "../../core/Completion.ts"
import * as GoDuration from "../../core/GoDuration.ts"
import type { Time } from "../../core/Time.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { ChannelPolicy, TopicPolicy } from "../policies/ResolvedPolicy.ts"
import { areIndependent, partOf, refusedOf } from "./Bodies.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import { SizeHistory } from "./SizeHistory.ts"
import { TokenBucket } from "./TokenBucket.ts"

/** A channel, as its topic's limits see it. */
export interface LimitedChannel {
  readonly name: string
  readonly policy: ChannelPolicy
  /** Messages that wait, are in flight or are deferred. */
  readonly unfinished: number
  /** When the oldest message was accepted that waits or is in flight, in ms since the Unix epoch. */
  readonly oldestAccepted: number
}

/** The topic. */
export interface LimitedTopic {
  readonly name: string
  readonly policy: TopicPolicy
  /** Messages that wait to be handed to the channels. */
  readonly depth: number
  /** When the oldest of them was accepted, in ms since the Unix epoch. */
  readonly oldestAccepted: number
  readonly messageCount: number
  readonly messageBytes: number
  readonly channels: ReadonlyArray<LimitedChannel>
  /** Whether messages go on to the channels, which make room then. */
  readonly isPumping: boolean
  /** The log of a durable topic. */
  readonly log: Pick<TopicLog, "commits"> | undefined
}

/** How many bodies of a publish are admitted, and why not more. */
interface Admission {
  readonly count: number
  readonly reason: BrokerErrorReason | undefined
}

/** The number of bodies, from the first on, that fit into `room` bytes. */
const fitting = ({ bytes, count, gap, start }: PublishedBodies, room: number): number => {
  let left = room
  let at = start
  for (let i = 0; i < count; i++) {
    const size = bytes.readInt32BE(at)
    left -= size
    if (left < 0) return i
    at += 4 + size + gap
  }
  return count
}

export class TopicLimits {
  /** Messages that were refused. */
  rejected = 0
  private readonly topic: LimitedTopic
  private readonly time: Time
  private readonly meanBytesBefore: () => number | undefined
  private readonly rate = new TokenBucket()
  private readonly sizes = new SizeHistory()
  /** Messages and bytes of publishes that are being stored. */
  private pending = 0
  private pendingBytes = 0

  /** `meanBytesBefore` is the mean size of messages that the topic had at the start, in bytes; `undefined` if it is not known. */
  constructor(topic: LimitedTopic, time: Time, meanBytesBefore: () => number | undefined) {
    this.meanBytesBefore = meanBytesBefore
    this.topic = topic
    this.time = time
  }

  /** The bytes of the newest `backlog` messages. */
  bytesOf(backlog: number): number {
    const { messageBytes, messageCount } = this.topic
    // Nothing is dropped by a guess: until they are measured, messages from before the start count as empty.
    return this.sizes.bytesOf(backlog, messageCount, messageBytes, this.meanBytesBefore() ?? 0)
  }

  /** Accepts what the limits admit, of one unit all or nothing; `put` stores it. */
  accept(
    bodies: PublishedBodies,
    put: (admitted: PublishedBodies) => Completion.Completion<BrokerError>
  ): Completion.Completion<BrokerError> {
    const { count, reason } = this.admit(bodies, !areIndependent(bodies))
    const admitted = reason === undefined ? bodies : partOf(bodies, 0, count)
    const rest = count === 0 ? undefined : put(admitted)
    if (rest === undefined) return reason === undefined ? undefined : Effect.fail(brokerError(reason, count))
    const refused = reason === undefined ? undefined : Effect.fail(brokerError(reason, count))
    const { log } = this.topic
    if (log !== undefined && Completion.isInOrder(rest)) {
      // Pending until the commit: its messages become part of the backlog in the same step.
      this.began(admitted)
      log.commits.afterCommit(() => this.ended(admitted))
      return refused === undefined ? rest : Completion.inOrder(Effect.andThen(rest, refused))
    }
    const stored = Effect.acquireUseRelease(
      Effect.sync(() => this.began(admitted)),
      () => rest,
      () => Effect.sync(() => this.ended(admitted))
    )
    return refused === undefined ? stored : Effect.andThen(stored, refused)
  }

  /** How many of the bodies are admitted: of one unit all or none. `isUnit`: they are not PUBs of their own. */
  private admit(bodies: PublishedBodies, isUnit: boolean): Admission {
    const { policy } = this.topic
    let count = bodies.count
    let reason: BrokerErrorReason | undefined
    const limit = (most: number, why: () => string, tag: "TopicFull" | "RateLimit"): void => {
      if (most >= count) return
      count = isUnit ? 0 : Math.max(0, most)
      reason = BrokerErrorReason[tag]({ description: why() })
    }
    if (policy.publishRate > 0) {
      const available = this.rate.available(policy.publishRate, this.time.monotonicMillis())
      const most = isUnit && this.rate.allows(bodies.count, policy.publishRate) ? bodies.count : available
      limit(
        most,
        () => `topic ${this.topic.name} takes ${policy.publishRate} messages per second (publish_rate)`,
        "RateLimit"
      )
    }
    this.limitBacklog(bodies, limit)
    this.limitAge(limit)
    if (policy.publishRate > 0) this.rate.take(count)
    this.rejected += refusedOf(bodies, count)
    return { count, reason }
  }

  private limitBacklog(
    bodies: PublishedBodies,
    limit: (most: number, why: () => string, tag: "TopicFull") => void
  ): void {
    const { channels, depth, name, policy } = this.topic
    const waiting = depth + this.pending
    const apply = (
      what: string,
      { maxBytes, maxDepth }: Pick<TopicPolicy, "maxDepth" | "maxBytes">,
      backlog: number
    ): void => {
      if (maxDepth > 0) {
        limit(
          maxDepth - backlog,
          () => `${what} has ${backlog} unfinished messages of ${maxDepth} (max_depth)`,
          "TopicFull"
        )
      }
      if (maxBytes > 0) {
        const used = this.bytesOf(backlog - this.pending) + this.pendingBytes
        limit(
          fitting(bodies, maxBytes - used),
          () => `${what} has ${Math.round(used)} bytes of unfinished messages of ${maxBytes} (max_bytes)`,
          "TopicFull"
        )
      }
    }
    if (policy.maxDepth + policy.maxBytes > 0) {
      if (policy.onFull === "reject") {
        apply(
          `topic ${name}`,
          policy,
          waiting + channels.reduce((most, { unfinished }) => Math.max(most, unfinished), 0)
        )
      } else if (!this.topic.isPumping) {
        // Nothing can be dropped before the channels have it.
        apply(`topic ${name}`, policy, waiting)
      }
    }
    for (const channel of channels) {
      if (!channel.policy.isLimited || channel.policy.onFull !== "reject") continue
      apply(`channel ${name}:${channel.name}`, channel.policy, waiting + channel.unfinished)
    }
  }

  private limitAge(limit: (most: number, why: () => string, tag: "TopicFull") => void): void {
    const { channels, isPumping, name, oldestAccepted, policy } = this.topic
    const now = (): number => Number(this.time.wallNanos() / 1_000_000n)
    const apply = (what: string, maxAgeMillis: number, oldest: number): void => {
      if (now() - oldest <= maxAgeMillis) return
      limit(
        0,
        () =>
          `${what} has unfinished messages older than ${GoDuration.format(Duration.millis(maxAgeMillis))} (max_age)`,
        "TopicFull"
      )
    }
    if (policy.maxAgeMillis > 0) {
      // On the way to the channels messages are not waited for.
      const own = isPumping ? Infinity : oldestAccepted
      const oldest = policy.onFull === "reject"
        ? channels.reduce((least, channel) => Math.min(least, channel.oldestAccepted), own)
        : own
      apply(`topic ${name}`, policy.maxAgeMillis, oldest)
    }
    for (const channel of channels) {
      if (channel.policy.maxAgeMillis === 0 || channel.policy.onFull !== "reject") continue
      apply(`channel ${name}:${channel.name}`, channel.policy.maxAgeMillis, channel.oldestAccepted)
    }
  }

  /** A publish is being stored; `ended` follows. */
  private began({ bodyBytes, count }: PublishedBodies): void {
    this.pending += count
    this.pendingBytes += bodyBytes
  }

  private ended({ bodyBytes, count }: PublishedBodies): void {
    this.pending -= count
    this.pendingBytes -= bodyBytes
  }

  /** Messages were accepted. */
  note(): void {
    const { channels, depth, messageBytes, messageCount, policy } = this.topic
    if (policy.maxBytes === 0 && channels.every((channel) => channel.policy.maxBytes === 0)) return
    const backlog = depth + channels.reduce((most, { unfinished }) => Math.max(most, unfinished), 0)
    this.sizes.note(messageCount, messageBytes, backlog)
  }
}
