/**
 * `POST /message/reject` (docs/policies.md#dead-letters): a message in flight becomes a dead letter, whichever consumer has it.
 */
import { Effect, Schema } from "effect"
import { MessageId, messageKey } from "../../../protocol/client/Message.ts"
import * as Arguments from "../../http/Arguments.ts"
import { fail } from "../../http/HttpResponse.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import type { Route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import { existingChannel } from "./BrokerArguments.ts"
import { post } from "./BrokerRoute.ts"

const isMessageId = Schema.is(MessageId)

const reject = Effect.fnUntraced(function*(target: RequestTarget) {
  const query = yield* Arguments.query(target)
  const channel = yield* existingChannel(target)
  const id = query.get("id")
  if (id === undefined) return yield* fail(400, "MISSING_ARG_ID")
  if (!isMessageId(id)) return yield* fail(400, "INVALID_ARG_ID")
  if (!channel.rejectAny(messageKey(id), query.get("reason") ?? "rejected")) {
    return yield* fail(404, "MESSAGE_NOT_IN_FLIGHT")
  }
})

/** The endpoint, for the broker of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker> = Effect.map(
  Broker,
  (broker) => [post(broker)("/message/reject", reject)]
)
