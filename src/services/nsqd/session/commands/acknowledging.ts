/** The error for a FIN, REQ or TOUCH of a message that is not in flight to the client. */
import { Effect } from "effect"
import { formatMessageKey, type MessageKey } from "../../../../protocol/client/Message.ts"
import { protocolError } from "../../../../protocol/client/ProtocolError.ts"
import type { AcknowledgementResult } from "../../broker/Subscription.ts"
import type { Pending } from "../connection/CommandHandler.ts"

/** `undefined` if the channel has accepted the command; otherwise fails with the error for the client. */
export const accepted = (
  name: "FIN" | "REQ" | "TOUCH",
  key: MessageKey,
  result: AcknowledgementResult | undefined
): Pending => {
  if (result === "done") return undefined
  const why = result === "not owner" ? "client does not own message" : "ID not in flight"
  return Effect.fail(protocolError(`E_${name}_FAILED`, `${name} ${formatMessageKey(key)} failed ${why}`))
}
