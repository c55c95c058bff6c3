/** REQ: requeues a message after a delay, or rejects it with a reason. See docs/protocol/client.md#req. */
import { Duration, Effect } from "effect"
import type { Req } from "../../../../protocol/client/Decoded.ts"
import { formatMessageKey } from "../../../../protocol/client/Message.ts"
import { NsqdOptions } from "../../options/NsqdOptions.ts"
import type { CommandHandler } from "../connection/CommandHandler.ts"
import { accepted } from "./acknowledging.ts"

const nanos = (millis: number): number => Math.round(millis * 1_000_000)

export const make: Effect.Effect<CommandHandler<Req>> = Effect.map(NsqdOptions, (options) => {
  const maxDelay = Duration.toMillis(options.maxReqTimeout)
  return {
    permittedIn: ["Subscribed", "Closing"],
    describe: (command) => `REQ ${formatMessageKey(command)}`,
    execute: ({ negotiated, subscription }, command) => {
      if (command.reason !== undefined && negotiated.rejects) {
        return accepted("REQ", command, subscription?.reject(command, command.reason))
      }
      // As in NSQ, a delay out of range is clamped, not refused.
      const delay = Math.max(0, Math.min(command.delayMillis, maxDelay))
      const result = subscription?.requeue(command, delay)
      if (result !== "done" || delay === command.delayMillis) return accepted("REQ", command, result)
      return Effect.logInfo(
        `REQ timeout ${nanos(command.delayMillis)} out of range 0-${nanos(maxDelay)}. Setting to ${nanos(delay)}`
      )
    }
  }
})
