/** FIN: the message is processed. See docs/protocol/client.md#fin. */
import type { Fin } from "../../../../protocol/client/Decoded.ts"
import { formatMessageKey } from "../../../../protocol/client/Message.ts"
import type { CommandHandler } from "../connection/CommandHandler.ts"
import { accepted } from "./acknowledging.ts"

export const handler: CommandHandler<Fin> = {
  permittedIn: ["Subscribed", "Closing"],
  describe: (command) => `FIN ${formatMessageKey(command)}`,
  execute: ({ subscription }, command) => accepted("FIN", command, subscription?.finish(command))
}
