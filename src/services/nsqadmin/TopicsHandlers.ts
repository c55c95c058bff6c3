/** Handlers of `/api/topics`: lists, figures and actions (docs/protocol/http.md#nsqadmin-endpoints). */
import { Effect, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { isChannelName, isTopicName } from "../../protocol/client/Names.ts"
import { Action, AdminApi, AnyAction, NewTopic } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, NotFound } from "../../protocol/http/admin/AdminFailure.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { ClusterActions } from "../cluster/ClusterActions.ts"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import * as Sums from "../cluster/Sums.ts"
import { AdminAccess } from "./AdminAccess.ts"
import * as JsonBody from "./JsonBody.ts"
import { Notifications } from "./Notifications.ts"
import * as Upstream from "./Upstream.ts"

const isAction = Schema.is(Action.fields.action)

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

/** Go encodes an empty list as null. */
const nullWhenEmpty = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> | null => items.length === 0 ? null : items

/** The handlers of the group `topics`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "topics",
  Effect.fn(function*(handlers) {
    const access = yield* AdminAccess
    const cluster = yield* Cluster
    const actions = yield* ClusterActions
    const notifications = yield* Notifications
    const sources = yield* ClusterSources

    const inactive = Effect.map(
      Upstream.query("get topics", cluster.inactiveTopics),
      ({ failures, value }) => ({
        topics: Object.fromEntries([...value].map(([topic, channels]) => [topic, nullWhenEmpty(channels)])),
        message: Upstream.warning(failures)
      })
    )

    const active = Effect.map(
      Upstream.query("get topics", cluster.topics),
      ({ failures, value }) => ({ topics: nullWhenEmpty(value), message: Upstream.warning(failures) })
    )

    const get = Effect.fnUntraced(function*(topic: string) {
      const producers = yield* Upstream.query("get topic producers", cluster.producers(topic))
      const { lookupd } = yield* sources.current
      // nsqlookupd lists the topic, but no nsqd has it.
      if (producers.value.length === 0 && lookupd.length > 0) {
        return { ...Sums.topic(topic, []), message: Upstream.warning(producers.failures) }
      }
      const stats = yield* Upstream.query(
        "get topic metadata",
        cluster.stats(producers.value, { topic, clients: false })
      )
      return {
        ...Sums.topic(topic, stats.value.flatMap(({ topics }) => topics)),
        message: Upstream.warning(producers.failures, stats.failures)
      }
    })

    const getChannel = Effect.fnUntraced(function*(topic: string, channel: string) {
      const producers = yield* Upstream.query("get topic producers", cluster.producers(topic))
      const stats = yield* Upstream.query(
        "get channel metadata",
        cluster.stats(producers.value, { topic, channel, clients: true })
      )
      const nodes = stats.value
        .flatMap(({ topics }) => topics)
        .flatMap(({ channels }) => channels)
        .filter(({ channel_name }) => channel_name === channel)
      if (nodes.length === 0) return yield* Effect.fail(NotFound.make({ message: "CHANNEL_NOT_FOUND" }))
      return {
        ...Sums.channel(topic, channel, nodes),
        message: Upstream.warning(producers.failures, stats.failures)
      }
    })

    const create = Effect.fnUntraced(function*() {
      yield* access.check
      const { channel = "", topic } = yield* JsonBody.decode(NewTopic)
      if (!isTopicName(topic)) return yield* refuse("INVALID_TOPIC")
      if (channel !== "" && !isChannelName(channel)) return yield* refuse("INVALID_CHANNEL")
      const wanted = channel === "" ? undefined : channel
      const response = yield* Upstream.act("create topic/channel", actions.create(topic, wanted))
      yield* notifications.tell({ action: "create_topic", topic })
      if (wanted !== undefined) yield* notifications.tell({ action: "create_channel", topic, channel: wanted })
      return response
    })

    const act = Effect.fnUntraced(function*(topic: string, channel: string | undefined) {
      yield* access.check
      const { action } = yield* JsonBody.decode(AnyAction)
      if (!isAction(action)) return yield* refuse("INVALID_ACTION")
      // As in NSQ, before the action, so that a failed one is notified as well.
      yield* channel === undefined
        ? notifications.tell({ action: `${action}_topic`, topic })
        : notifications.tell({ action: `${action}_channel`, topic, channel })
      return yield* Upstream.act(`${action} topic/channel`, actions.act(action, topic, channel))
    })

    const remove = Effect.fnUntraced(function*(topic: string, channel: string | undefined) {
      yield* access.check
      const kind = channel === undefined ? "topic" : "channel"
      const response = yield* Upstream.act(`delete ${kind}`, actions.act("delete", topic, channel))
      yield* channel === undefined
        ? notifications.tell({ action: "delete_topic", topic })
        : notifications.tell({ action: "delete_channel", topic, channel })
      return response
    })

    return handlers
      .handle("list", ({ query }) => query.inactive === "true" ? inactive : active)
      .handleRaw("create", () => create())
      .handle("get", ({ params }) => get(params.topic))
      .handleRaw("act", ({ params }) => act(params.topic, undefined))
      .handle("delete", ({ params }) => remove(params.topic, undefined))
      .handle("getChannel", ({ params }) => getChannel(params.topic, params.channel))
      .handleRaw("actOnChannel", ({ params }) => act(params.topic, params.channel))
      .handle("deleteChannel", ({ params }) => remove(params.topic, params.channel))
  })
)
