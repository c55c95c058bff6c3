/**
 * Why an nsqd did not start, in the words of its FATAL line. Everything that can go wrong before the daemon serves
 * ends up here; what goes wrong later does not.
 */
import { Data } from "effect"

/** `failed to <stage> - <detail>` is what the FATAL line says. */
export class NsqdStartError extends Data.TaggedError("NsqdStartError")<{
  readonly stage:
    | "instantiate nsqd"
    | "load metadata"
    | "persist metadata"
    | "read the environment"
    | `load config file ${string}`
  readonly detail: string
}> {
  override get message(): string {
    return `failed to ${this.stage} - ${this.detail}`
  }
}
