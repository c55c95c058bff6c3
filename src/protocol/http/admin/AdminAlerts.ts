/** The alert that nsqadmin sends to each `--alert-webhook`, as the JSON body of a POST (docs/nsqadmin.md#alerts). */
import { Schema } from "effect"
import { warningKinds } from "./AdminLive.ts"

/** Unix milliseconds. */
const Time = Schema.Finite

/** A warning that began or ended, or a test. */
export const Alert = Schema.Struct({
  event: Schema.Literals(["raised", "cleared", "test"]),
  /** The same for the beginning and the end of a warning, and for an alert that is sent again. */
  id: Schema.String,
  /** The name of the cluster; empty if nsqadmin has one cluster only. */
  cluster: Schema.String,
  /** `test` for a test. */
  kind: Schema.Literals([...warningKinds, "test"]),
  /** The subject; names that do not apply are empty. */
  topic: Schema.String,
  channel: Schema.String,
  /** `host:port` of an nsqd's HTTP API. */
  node: Schema.String,
  /** What is wrong, with figures, as when the alert was raised. */
  text: Schema.String,
  /** The consumer that causes it, with figures; empty if unknown. */
  detail: Schema.String,
  /** The time at which the cause began. */
  since: Time,
  /** The time of the event. */
  at: Time,
  /** The host name of nsqadmin. */
  via: Schema.String
})
export type Alert = typeof Alert.Type
