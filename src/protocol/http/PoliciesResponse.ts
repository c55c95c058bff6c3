/**
 * Policies as JSON: the body and the response of nsqd's `/policies` (docs/policies.md). NSQ's nsqd does not have them. Durations
 * are strings in Go's syntax, such as `30s`; the daemon checks their values.
 */
import { Schema } from "effect"

const Text = Schema.optionalKey(Schema.String)
const Whole = Schema.optionalKey(Schema.Finite)

/** What happens to a message that a limit has no room for. */
export const OnFull = Schema.Literals(["reject", "drop_oldest", "dead_letter"])
/**
 * - `reject`: the publisher gets an error;
 * - `drop_oldest`: the oldest waiting messages are dropped;
 * - `dead_letter`: the oldest waiting messages move to the dead-letter topic.
 *
 * @since 0.2.0
 * @category models
 */
export type OnFull = typeof OnFull.Type

/** What happens to a message whose time-to-live is over. */
export const OnExpired = Schema.Literals(["drop", "dead_letter"])
/**
 * - `drop`: it is dropped;
 * - `dead_letter`: it moves to the dead-letter topic.
 *
 * @since 0.2.0
 * @category models
 */
export type OnExpired = typeof OnExpired.Type

/** The fields of a policy without its pattern. All are optional; the value 0 means none. */
const fields = {
  ttl: Text,
  on_expired: Schema.optionalKey(OnExpired),
  max_age: Text,
  max_depth: Whole,
  max_bytes: Whole,
  on_full: Schema.optionalKey(OnFull),
  publish_rate: Whole,
  client_publish_rate: Whole,
  dedup_window: Text,
  dedup_count: Whole,
  retention_age: Text,
  retention_bytes: Whole,
  max_attempts: Whole,
  dead_letter: Text,
  count_disconnects: Schema.optionalKey(Schema.Boolean)
}

/**
 * A policy: a pattern of topics, or of topics and channels, and the values for those that match.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Policy = Schema.Struct({ match: Schema.String, ...fields })
/**
 * A policy: a pattern of topics, or of topics and channels, and the values for those that match.
 *
 * @since 0.2.0
 * @category models
 */
export type Policy = typeof Policy.Type

/**
 * The name of a field of a policy.
 *
 * @since 0.2.0
 * @category models
 */
export type PolicyField = Exclude<keyof Policy, "match">

/** Where a policy comes from: the options of the daemon (`config`), or `PUT /policies` (`api`). */
export const PolicySource = Schema.Literals(["config", "api"])
/**
 * Where a policy comes from: the options of the daemon (`config`), or `PUT /policies` (`api`).
 *
 * @since 0.2.0
 * @category models
 */
export type PolicySource = typeof PolicySource.Type

/**
 * A policy and its source.
 *
 * @since 0.2.0
 * @category schemas
 */
export const ListedPolicy = Schema.Struct({ ...Policy.fields, source: PolicySource })
/**
 * A policy and its source.
 *
 * @since 0.2.0
 * @category models
 */
export type ListedPolicy = typeof ListedPolicy.Type

/** The response of `GET /policies`. */
export const PolicyList = Schema.Struct({ policies: Schema.Array(ListedPolicy) })
export type PolicyList = typeof PolicyList.Type

/** A value in force, and the pattern and source of the policy that it comes from. */
export const FieldInForce = Schema.Struct({
  value: Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]),
  match: Schema.String,
  source: PolicySource
})
/**
 * A value in force, and the pattern and source of the policy that it comes from.
 *
 * @since 0.2.0
 * @category models
 */
export type FieldInForce = typeof FieldInForce.Type

/** The fields in force for a topic or a channel, by name. Fields that no policy sets are omitted. */
export const FieldsInForce = Schema.Record(Schema.String, FieldInForce)
export type FieldsInForce = typeof FieldsInForce.Type

/**
 * The fields in force for a topic or a channel, by name.
 *
 * @since 0.2.0
 * @category schemas
 */
export const PolicyInForce = Schema.Struct({
  topic: Schema.String,
  channel: Schema.optionalKey(Schema.String),
  fields: FieldsInForce
})
/**
 * The fields in force for a topic or a channel, by name.
 *
 * @since 0.2.0
 * @category models
 */
export type PolicyInForce = typeof PolicyInForce.Type
