/** Handlers of `/api/live`, `/api/history`, `/api/mutes` and `/api/alerts` (docs/nsqadmin.md#the-api). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import { Mute } from "../../protocol/http/admin/AdminLive.ts"
import { AdminAccess } from "./AdminAccess.ts"
import { Alerts } from "./Alerts.ts"
import * as JsonBody from "./JsonBody.ts"
import { LiveFeed } from "./LiveFeed.ts"
import { Mutes } from "./Mutes.ts"

const namesOf = (list: string): ReadonlyArray<string> => list === "" ? [] : list.split(",")

/** The handlers of the group `live`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "live",
  Effect.fnUntraced(function*(handlers) {
    const access = yield* AdminAccess
    const feed = yield* LiveFeed
    const mutes = yield* Mutes
    const alerts = yield* Alerts

    const mute = Effect.fnUntraced(function*() {
      yield* access.check
      yield* mutes.mute(yield* JsonBody.decode(Mute))
      return { message: "" }
    })

    const testAlert = Effect.gen(function*() {
      yield* access.check
      const tested = yield* alerts.test
      const failed = tested.filter(({ failure }) => failure !== undefined)
      const message = failed.map(({ failure, webhook }) => `${webhook}: ${failure}`).join("; ")
      if (tested.length === 0) return yield* Effect.fail(BadRequest.make({ message: "NO_ALERT_WEBHOOK" }))
      if (failed.length > 0) return yield* Effect.fail(UpstreamError.make({ message: `WEBHOOK_FAILED: ${message}` }))
      return { message: "" }
    })

    return handlers
      .handle("samples", ({ query }) => feed.samples(query))
      .handle("history", ({ query: { before = 0, channel = "", detail, span, to, topics } }) => {
        if (topics === undefined) return Effect.fail(BadRequest.make({ message: "MISSING_ARG_TOPICS" }))
        return span === undefined
          ? feed.history(namesOf(topics), detail === "true")
          : feed.range({ topic: topics, channel, span, to, before })
      })
      .handleRaw("mute", () => mute())
      .handle("testAlert", () => testAlert)
  })
)
