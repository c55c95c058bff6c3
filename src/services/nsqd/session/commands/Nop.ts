/** NOP: the reply to a heartbeat. See docs/protocol/client.md#nop. */
import type { CommandHandler } from "../connection/CommandHandler.ts"
import { everyState } from "../connection/ConnectionState.ts"

export const handler: CommandHandler<unknown> = {
  permittedIn: everyState,
  describe: () => "NOP",
  execute: () => undefined
}
