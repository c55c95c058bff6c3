/** Why an nsqadmin did not start, in the words of its FATAL line. */
import { Data } from "effect"

export class AdminStartError extends Data.TaggedError("AdminStartError")<{ readonly detail: string }> {
  override get message(): string {
    return `failed to instantiate nsqadmin - ${this.detail}`
  }
}
