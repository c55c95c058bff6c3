/** Handlers of stored messages and of moves of channels (docs/nsqadmin.md#stored-messages). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { Rewind } from "../../protocol/http/admin/AdminStorage.ts"
import { AdminAccess } from "./AdminAccess.ts"
import * as JsonBody from "./JsonBody.ts"
import { Notifications } from "./Notifications.ts"
import { type BrowseFilter, type StoredMessage, StoredMessages } from "./StoredMessages.ts"

/** The handlers of the group `storage`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "storage",
  Effect.fnUntraced(function*(handlers) {
    const access = yield* AdminAccess
    const notifications = yield* Notifications
    const stored = yield* StoredMessages

    /** Bodies may be confidential, as those that a tail shows. */
    const browse = Effect.fnUntraced(function*(node: string, filter: BrowseFilter) {
      yield* access.check
      return yield* stored.browse(node, filter)
    })

    const change = Effect.fnUntraced(function*(action: "delete_message" | "requeue_message", message: StoredMessage) {
      yield* access.check
      const response = yield* action === "delete_message" ? stored.remove(message) : stored.requeue(message)
      yield* notifications.tell({ action, ...message })
      return response
    })

    const rewind = Effect.fnUntraced(function*(topic: string, channel: string) {
      yield* access.check
      const { to } = yield* JsonBody.decode(Rewind)
      const response = yield* stored.rewind(topic, channel, to, false)
      yield* notifications.tell({ action: "rewind_channel", topic, channel })
      return response
    })

    return handlers
      .handle("browse", ({ params, query }) => browse(params.node, query))
      .handle("remove", ({ params, query }) => change("delete_message", { ...params, ...query }))
      .handle("requeue", ({ params, query }) => change("requeue_message", { ...params, ...query }))
      .handle("preview", ({ params, query }) => stored.rewind(params.topic, params.channel, query.to, true))
      .handleRaw("rewind", ({ params }) => rewind(params.topic, params.channel))
  })
)
