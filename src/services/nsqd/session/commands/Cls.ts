/**
 * CLS: no more messages are delivered; the client may still acknowledge those in flight, and closes the connection.
 * See docs/protocol/client.md#cls.
 */
import type { CommandHandler } from "../connection/CommandHandler.ts"

export const handler: CommandHandler<unknown> = {
  permittedIn: ["Subscribed"],
  describe: () => "CLS",
  execute: (session) => {
    session.startClosing()
    session.outbox.response("CLOSE_WAIT")
    return undefined
  }
}
