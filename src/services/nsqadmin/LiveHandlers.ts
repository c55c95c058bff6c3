/** Handlers of `/api/live` and `/api/history` (docs/nsqadmin.md#the-api). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest } from "../../protocol/http/admin/AdminFailure.ts"
import { LiveFeed } from "./LiveFeed.ts"

const namesOf = (list: string): ReadonlyArray<string> => list === "" ? [] : list.split(",")

/** The handlers of the group `live`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "live",
  Effect.fnUntraced(function*(handlers) {
    const feed = yield* LiveFeed
    return handlers
      .handle("samples", ({ query }) => feed.samples(query))
      .handle("history", ({ query }) =>
        query.topics === undefined
          ? Effect.fail(BadRequest.make({ message: "MISSING_ARG_TOPICS" }))
          : feed.history(namesOf(query.topics), query.detail === "true"))
  })
)
