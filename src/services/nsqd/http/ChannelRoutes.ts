/**
 * `/channel/*`: creates, deletes, empties, pauses, unpauses and rewinds channels. None of these endpoints creates a topic.
 */
import { Effect } from "effect"
import type { SeekResponse } from "../../../protocol/http/SeekResponse.ts"
import * as Arguments from "../../http/Arguments.ts"
import { fail, json } from "../../http/HttpResponse.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import type { Route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import type { Topic } from "../broker/Topic.ts"
import * as BrokerArguments from "./BrokerArguments.ts"
import { post } from "./BrokerRoute.ts"
import * as LogPosition from "./LogPosition.ts"

/** A new channel can begin in the past of a durable topic. An existing one keeps its place, so that a repeated request is harmless. */
const create = Effect.fnUntraced(function*(target: RequestTarget) {
  const { channel: name, topic } = yield* BrokerArguments.topicAndChannelName(target)
  const from = (yield* Arguments.query(target)).get("from")
  const isNew = topic.channel(name) === undefined
  const start = from === undefined ? undefined : yield* sequenceIn(topic, from, "INVALID_ARG_FROM")
  const channel = yield* Broker.use((broker) => broker.channel(topic.name, name))
  if (start !== undefined && isNew) yield* channel.seek(start)
})

const sequenceIn = Effect.fnUntraced(function*(topic: Topic, place: string, code: string) {
  return yield* LogPosition.sequenceOf(yield* LogPosition.logOf(topic), place, code)
})

/** Moves a channel to another place of its topic's log, or with `preview=true` tells how many messages would wait then. */
const seek = Effect.fnUntraced(function*(target: RequestTarget) {
  const { channel: name, topic } = yield* BrokerArguments.topicAndChannelName(target)
  const channel = topic.channel(name) ?? (yield* fail(404, "CHANNEL_NOT_FOUND"))
  const query = yield* Arguments.query(target)
  const log = yield* LogPosition.logOf(topic)
  const to = query.get("to") ?? (yield* fail(400, "MISSING_ARG_TO"))
  const wanted = yield* LogPosition.sequenceOf(log, to, "INVALID_ARG_TO")
  const sequence = Math.max(log.history.start, Math.min(wanted, log.handed))
  const preview = query.get("preview") ?? "false"
  if (preview !== "true" && preview !== "false") return yield* fail(400, "INVALID_ARG_PREVIEW")
  if (preview === "false") yield* channel.seek(sequence)
  const moved: SeekResponse = { sequence, messages: log.handed - sequence, moved: preview === "false" }
  return json(moved)
})

const remove = Effect.fnUntraced(function*(target: RequestTarget) {
  const { name, topic } = yield* BrokerArguments.existingChannel(target)
  yield* Broker.use(({ deleteChannel }) => deleteChannel(topic, name))
})

const clear = Effect.fnUntraced(function*(target: RequestTarget) {
  const channel = yield* BrokerArguments.existingChannel(target)
  yield* channel.empty
})

const pause = (paused: boolean) =>
  Effect.fnUntraced(function*(target: RequestTarget) {
    const channel = yield* BrokerArguments.existingChannel(target)
    yield* Broker.use(({ pauseChannel }) => pauseChannel(channel, paused))
  })

/** The endpoints, for the broker of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker> = Effect.map(Broker, (broker) => {
  const endpoint = post(broker)
  return [
    endpoint("/channel/create", create),
    endpoint("/channel/delete", remove),
    endpoint("/channel/empty", clear),
    endpoint("/channel/pause", pause(true)),
    endpoint("/channel/unpause", pause(false)),
    endpoint("/channel/seek", seek)
  ]
})
