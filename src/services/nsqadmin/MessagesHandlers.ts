/** Handlers of `/api/messages/:topic`, which publish and tail messages, for administrators only (docs/nsqadmin.md#messages). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi, NewMessage } from "../../protocol/http/admin/AdminApi.ts"
import { AdminAccess } from "./AdminAccess.ts"
import * as JsonBody from "./JsonBody.ts"
import { TailFeed } from "./TailFeed.ts"
import { TestMessage } from "./TestMessage.ts"

const allMessages = 100

/** Limit for the request: the largest message in base64, with its JSON. */
const maxRequestBytes = 2 * 1024 * 1024

/** The handlers of the group `messages`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "messages",
  Effect.fnUntraced(function*(handlers) {
    const access = yield* AdminAccess
    const messages = yield* TestMessage
    const tails = yield* TailFeed

    const publish = Effect.fnUntraced(function*(topic: string) {
      yield* access.check
      return yield* messages.publish(topic, yield* JsonBody.decode(NewMessage, maxRequestBytes))
    })

    const tail = Effect.fnUntraced(function*(topic: string, samplePercent: number) {
      yield* access.check
      return yield* tails.tail(topic, samplePercent)
    })

    return handlers
      .handleRaw("publish", ({ params }) => publish(params.topic))
      .handle("tail", ({ params, query }) => tail(params.topic, query.sample ?? allMessages))
  })
)
