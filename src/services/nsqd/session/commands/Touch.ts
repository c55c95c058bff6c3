/** TOUCH: resets the timeout of a message. See docs/protocol/client.md#touch. */
import type { Touch } from "../../../../protocol/client/Decoded.ts"
import { formatMessageKey } from "../../../../protocol/client/Message.ts"
import type { CommandHandler } from "../connection/CommandHandler.ts"
import { accepted } from "./acknowledging.ts"

export const handler: CommandHandler<Touch> = {
  permittedIn: ["Subscribed", "Closing"],
  describe: (command) => `TOUCH ${formatMessageKey(command)}`,
  execute: ({ subscription }, command) => accepted("TOUCH", command, subscription?.touch(command))
}
