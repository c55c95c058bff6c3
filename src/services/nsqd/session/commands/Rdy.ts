/** RDY: sets how many messages the client wants in flight. See docs/protocol/client.md#rdy. */
import type { CommandHandler } from "../connection/CommandHandler.ts"

interface Rdy {
  readonly count: number
}

export const handler: CommandHandler<Rdy> = {
  permittedIn: ["Subscribed", "Closing"],
  describe: ({ count }) => `RDY ${count}`,
  execute: ({ state }, { count }) => {
    // As in NSQ, a client that is closing keeps its ready count of 0.
    if (state._tag !== "Subscribed") return undefined
    state.subscription.setReady(count)
    return undefined
  }
}
