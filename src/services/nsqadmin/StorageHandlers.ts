/** Handlers of stored messages, of redrives and of moves of channels (docs/nsqadmin.md#stored-messages). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { Redrive, Rewind } from "../../protocol/http/admin/AdminStorage.ts"
import { AdminAccess } from "./AdminAccess.ts"
import * as JsonBody from "./JsonBody.ts"
import { Notifications } from "./Notifications.ts"
import { Redrives } from "./Redrives.ts"
import { type BrowseFilter, type StoredMessage, StoredMessages } from "./StoredMessages.ts"

/** The handlers of the group `storage`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "storage",
  Effect.fnUntraced(function*(handlers) {
    const access = yield* AdminAccess
    const notifications = yield* Notifications
    const redrives = yield* Redrives
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

    const redrive = Effect.fnUntraced(function*(node: string) {
      yield* access.check
      const request = yield* JsonBody.decode(Redrive)
      const response = yield* redrives.begin(node, request)
      const { channel, topic } = request
      yield* notifications.tell({
        action: "redrive_topic",
        node,
        topic,
        ...(channel === undefined ? {} : { channel })
      })
      return response
    })

    const cancelRedrive = Effect.fnUntraced(function*(node: string, topic: string) {
      yield* access.check
      const response = yield* redrives.cancel(node, topic)
      yield* notifications.tell({ action: "cancel_redrive", node, topic })
      return response
    })

    return handlers
      .handle("browse", ({ params, query }) => browse(params.node, query))
      .handle("remove", ({ params, query }) => change("delete_message", { ...params, ...query }))
      .handle("requeue", ({ params, query }) => change("requeue_message", { ...params, ...query }))
      .handle("redriveProgress", ({ params, query }) => redrives.progress(params.node, query.topic))
      .handleRaw("redrive", ({ params }) => redrive(params.node))
      .handle("cancelRedrive", ({ params, query }) => cancelRedrive(params.node, query.topic))
      .handle("preview", ({ params, query }) => stored.rewind(params.topic, params.channel, query.to, true))
      .handleRaw("rewind", ({ params }) => rewind(params.topic, params.channel))
  })
)
