/**
 * The error of an nsqd that did not start, in the words of its FATAL line. Covers every failure of the daemon's Layer before it
 * serves clients, and none after.
 */
import { Data } from "effect"

/** Its message, `failed to <stage> - <detail>`, is the text of the FATAL line. */
export class NsqdStartError extends Data.TaggedError("NsqdStartError")<{
  readonly stage: "instantiate nsqd" | "load metadata" | "persist metadata"
  readonly detail: string
}> {
  override get message(): string {
    return `failed to ${this.stage} - ${this.detail}`
  }
}
