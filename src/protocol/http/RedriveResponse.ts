/** The response of nsqd's `/topic/redrive` (docs/protocol/http.md#redrive). NSQ's nsqd does not have it. */
import { Schema } from "effect"

/** How far a redrive is. */
export const RedriveProgress = Schema.Struct({
  topic: Schema.String,
  channel: Schema.String,
  /** The topic that messages go to; empty for those that they came from. */
  to: Schema.String,
  state: Schema.Literals(["running", "done", "cancelled", "failed"]),
  /** Messages that were read, those that were published again, and those without an origin, which stay. */
  scanned: Schema.Finite,
  moved: Schema.Finite,
  skipped: Schema.Finite,
  /** In Unix seconds; `ended_at` is 0 while it runs. */
  started_at: Schema.Finite,
  ended_at: Schema.Finite,
  /** Why it failed; omitted otherwise. */
  error: Schema.optionalKey(Schema.String)
})
/**
 * How far a redrive is.
 *
 * @since 0.2.0
 * @category models
 */
export type RedriveProgress = typeof RedriveProgress.Type
