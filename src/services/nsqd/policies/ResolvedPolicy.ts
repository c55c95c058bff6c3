/**
 * The policy of one topic or channel, with the values in force as numbers. The topic or channel keeps the object, which is updated
 * in place when policies change: the hot path reads a field.
 */
import { Duration, Result } from "effect"
import { defaultDeadLetter } from "../../../protocol/client/DeadLetterName.ts"
import type { OnFull } from "../../../protocol/http/PoliciesResponse.ts"
import * as GoDuration from "../../core/GoDuration.ts"
import type { InForce } from "./PolicySet.ts"

const millisIn = (inForce: InForce, field: "ttl" | "max_age" | "dedup_window" | "retention_age"): number => {
  const value = inForce[field]?.value
  if (typeof value !== "string") return 0
  const parsed = GoDuration.parse(value)
  return Result.isFailure(parsed) ? 0 : Math.ceil(Duration.toMillis(parsed.success))
}

const numberIn = (inForce: InForce, field: keyof InForce): number => {
  const value = inForce[field]?.value
  return typeof value === "number" ? value : 0
}

const onFullIn = (inForce: InForce): OnFull => {
  const value = inForce.on_full?.value
  return value === "drop_oldest" || value === "dead_letter" ? value : "reject"
}

const deadLetterIn = (inForce: InForce): string => {
  const value = inForce.dead_letter?.value
  return typeof value === "string" ? value : defaultDeadLetter
}

/** The topic or channel that keeps a policy. */
export interface PolicyOwner {
  /** The policy of the topic or channel, or of its topic, has changed. */
  readonly policyChanged: () => void
}

/**
 * The policy of a topic. Times are in ms; 0 means none.
 *
 * @since 0.2.0
 * @category models
 */
export class TopicPolicy {
  /** The fields that policies set, with the policy of each. */
  inForce: InForce = {}
  ttlMillis = 0
  maxAgeMillis = 0
  maxDepth = 0
  maxBytes = 0
  onFull: OnFull = "reject"
  /** Messages per second. */
  publishRate = 0
  clientPublishRate = 0
  dedupWindowMillis = 0
  dedupCount = 0
  retentionAgeMillis = 0
  retentionBytes = 0
  /** With `{topic}` and `{channel}`. */
  deadLetter = defaultDeadLetter
  /** Called after changes. */
  owner: PolicyOwner | undefined
  /** Whether publishes are checked against a limit or a rate. */
  isLimited = false

  /** Sets the values in force. */
  update(inForce: InForce): void {
    this.inForce = inForce
    this.ttlMillis = millisIn(inForce, "ttl")
    this.maxAgeMillis = millisIn(inForce, "max_age")
    this.maxDepth = numberIn(inForce, "max_depth")
    this.maxBytes = numberIn(inForce, "max_bytes")
    this.onFull = onFullIn(inForce)
    this.publishRate = numberIn(inForce, "publish_rate")
    this.clientPublishRate = numberIn(inForce, "client_publish_rate")
    this.dedupWindowMillis = millisIn(inForce, "dedup_window")
    this.dedupCount = numberIn(inForce, "dedup_count")
    this.retentionAgeMillis = millisIn(inForce, "retention_age")
    this.retentionBytes = numberIn(inForce, "retention_bytes")
    this.deadLetter = deadLetterIn(inForce)
    this.isLimited = this.maxAgeMillis + this.maxDepth + this.maxBytes + this.publishRate > 0
  }
}

/**
 * The policy of a channel. Times are in ms; 0 means none.
 *
 * @since 0.2.0
 * @category models
 */
export class ChannelPolicy {
  /** The fields that policies set, with the policy of each. */
  inForce: InForce = {}
  ttlMillis = 0
  /** Whether expired messages become dead letters; they are dropped otherwise. */
  buriesExpired = false
  /** Deliveries after which a message that is not finished is a dead letter. */
  maxAttempts = 0
  /** Whether the disconnection of a consumer counts as a failed attempt. */
  countDisconnects = false
  /** With `{topic}` and `{channel}`. */
  deadLetter = defaultDeadLetter
  maxAgeMillis = 0
  maxDepth = 0
  maxBytes = 0
  onFull: OnFull = "reject"
  /** Called after changes. */
  owner: PolicyOwner | undefined
  /** Whether the channel has a limit of age, depth or bytes. */
  isLimited = false

  /** Sets the values in force. */
  update(inForce: InForce): void {
    this.inForce = inForce
    this.ttlMillis = millisIn(inForce, "ttl")
    this.buriesExpired = inForce.on_expired?.value === "dead_letter"
    this.maxAttempts = numberIn(inForce, "max_attempts")
    this.countDisconnects = inForce.count_disconnects?.value === true
    this.deadLetter = deadLetterIn(inForce)
    this.maxAgeMillis = millisIn(inForce, "max_age")
    this.maxDepth = numberIn(inForce, "max_depth")
    this.maxBytes = numberIn(inForce, "max_bytes")
    this.onFull = onFullIn(inForce)
    this.isLimited = this.maxAgeMillis + this.maxDepth + this.maxBytes > 0
  }
}
