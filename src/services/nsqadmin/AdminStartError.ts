/** The error of a failed start; its message is the text of the FATAL line. */
import { Data } from "effect"

/** nsqadmin cannot start. */
export class AdminStartError extends Data.TaggedError("AdminStartError")<{ readonly detail: string }> {
  override get message(): string {
    return `failed to instantiate nsqadmin - ${this.detail}`
  }
}
