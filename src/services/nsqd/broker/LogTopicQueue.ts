/**
 * A durable topic's messages: all of them are in the topic's log, and its channels read them there. Handing messages over is to
 * let the channels read further; it copies nothing.
 */
import { Effect } from "effect"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import * as Completion from "../../core/Completion.ts"
import type { Time } from "../../core/Time.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { RetentionLimits } from "../log/Retention.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { LogDurability } from "../options/Durability.ts"
import type { TopicPolicy } from "../policies/ResolvedPolicy.ts"
import { Storage } from "../storage/Storage.ts"
import { type BrokerError, writeFailure } from "./BrokerError.ts"
import { type Carried, type Handover, nothing } from "./Carried.ts"
import type { ChannelSettings } from "./Channel.ts"
import { LogBacklog } from "./LogBacklog.ts"
import type { MemoryTopicSettings } from "./MemoryTopicQueue.ts"
import { intoLog } from "./Moving.ts"
import type { Surroundings } from "./Surroundings.ts"
import type { MakeBacklog, QueueOwner, TopicQueue } from "./TopicQueue.ts"

/** Bytes that are read to find the oldest message. */
const oldestBlockBytes = 64 * 1024

/**
 * What the topic's policy keeps of finished messages: one of the two limits is enough. The window of de-duplication keeps them as well,
 * because their keys are read from them after a restart.
 */
const retentionOf = (policy: TopicPolicy): RetentionLimits | undefined => {
  const { dedupWindowMillis, retentionBytes } = policy
  const millis = Math.max(policy.retentionAgeMillis, dedupWindowMillis)
  if (millis === 0 && retentionBytes === 0) return undefined
  return {
    millis: policy.retentionAgeMillis === 0 && retentionBytes > 0 ? Infinity : millis,
    bytes: retentionBytes === 0 ? Infinity : retentionBytes
  }
}

export class LogTopicQueue implements TopicQueue {
  private readonly settings: MemoryTopicSettings
  private readonly time: Time
  readonly log: TopicLog
  private readonly owner: QueueOwner
  meanBytes: number | undefined
  /** The oldest message and when it was accepted. */
  private found = { sequence: 0, acceptedAt: Infinity }

  private constructor(settings: MemoryTopicSettings, time: Time, log: TopicLog, owner: QueueOwner) {
    this.settings = settings
    this.time = time
    this.log = log
    this.owner = owner
    if (log.commits.lastIssued !== undefined) owner.guids.continueAfter(log.commits.lastIssued)
    log.onCommitted(() => this.wake())
  }

  /** Opens a queue with the messages of the topic's log, and moves those of its disk queues into it. */
  static readonly open = Effect.fnUntraced(function*(
    topic: TopicName,
    durability: LogDurability,
    settings: MemoryTopicSettings & Pick<ChannelSettings, "policies">,
    { time }: Surroundings,
    owner: QueueOwner,
    handover: Handover
  ) {
    const { openLog } = yield* Storage
    const log = yield* openLog(topic, durability)
    const policy = settings.policies.topic(topic)
    log.history.retain(() => retentionOf(policy))
    yield* intoLog(log, topic, handover)
    return new LogTopicQueue(settings, time, log, owner)
  })

  get depth(): number {
    return this.log.depth
  }
  get backendDepth(): number {
    return this.log.depth
  }
  get channelNames(): ReadonlyArray<string> {
    return this.log.channelNames
  }
  get oldest(): number {
    const { depth, handed } = this.log
    return depth > 0 && this.found.sequence === handed ? this.found.acceptedAt : Infinity
  }

  get measure(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() =>
      this.meanBytes !== undefined
        ? Effect.void
        : Effect.map(this.log.history.meanBytes, (bytes) => void (this.meanBytes = bytes ?? 0))
    )
  }

  get lookAtOldest(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const { handed: sequence } = this.log
      if (this.log.depth === 0 || this.found.sequence === sequence) return Effect.void
      let found = Infinity
      const scanned = this.log.history.scan(sequence, ({ acceptedAt }) => {
        found = acceptedAt
        return false
      }, { blockBytes: oldestBlockBytes })
      return Effect.map(scanned, () => {
        this.found = { sequence, acceptedAt: found }
      })
    })
  }

  put(bodies: PublishedBodies, deferMillis: number): Completion.Completion<BrokerError> {
    const now = this.time.wallNanos()
    // Exact, because the number of nanoseconds has no room in a double.
    const due = deferMillis === 0 ? 0 : Math.ceil(Number((now + 999_999n) / 1_000_000n) + deferMillis)
    const { count, bodyBytes } = bodies
    const appended = this.log.append(bodies, now, this.owner.guids.take(now, count), due, (isStored) => {
      if (isStored) this.owner.count(count, bodyBytes)
    })
    const rest = Effect.mapError(appended, (error) => writeFailure(error, 0))
    return Completion.isInOrder(appended) ? Completion.inOrder(rest) : rest
  }

  openChannel(name: ChannelName) {
    const { log, settings: { memQueueSize }, time } = this
    return Effect.map(
      isEphemeral(name) ? log.openEphemeralChannel(name, Math.max(1, memQueueSize)) : log.openChannel(name),
      (channel): MakeBacklog => (label, worker) => new LogBacklog(label, log, channel, memQueueSize, time, worker)
    )
  }

  wake(): void {
    if (!this.owner.isPumping()) return
    const count = this.log.handOver()
    for (const channel of this.owner.channels()) channel.noteHanded(count)
  }

  hold(): void {
    this.log.hold()
  }

  get empty() {
    return this.log.empty
  }

  get deleteShared() {
    return this.log.delete
  }

  get delete(): Effect.Effect<void> {
    return Effect.void
  }

  /** Handing over needs no fiber. */
  get stop(): Effect.Effect<void> {
    return Effect.void
  }

  /** Everything is in the log. */
  get leave(): Effect.Effect<Carried> {
    return Effect.succeed(nothing)
  }

  /** Everything is in the log. */
  get flush(): Effect.Effect<void> {
    return Effect.void
  }
}
