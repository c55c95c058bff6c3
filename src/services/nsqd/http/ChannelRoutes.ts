/**
 * `/channel/*`: creates, deletes, empties, pauses and unpauses channels. None of these endpoints creates a topic.
 */
import { Effect } from "effect"
import { empty, fail, HttpFailure, type HttpResponse, internalError } from "../../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import * as BrokerArguments from "./BrokerArguments.ts"

const internal = () => Effect.fail(new HttpFailure({ response: internalError }))

const create = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const { channel: name, topic } = yield* BrokerArguments.topicAndChannelName(target)
  yield* Broker.use(({ channel }) => channel(topic.name, name)).pipe(
    Effect.catchTags({ LimitReached: BrokerArguments.refuse, StorageError: internal })
  )
  return empty
})

const remove = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const { name, topic } = yield* BrokerArguments.existingChannel(target)
  yield* Broker.use(({ deleteChannel }) => deleteChannel(topic, name)).pipe(
    Effect.catchTags({
      TopicNotFound: () => Effect.fail(fail(404, "TOPIC_NOT_FOUND")),
      ChannelNotFound: () => Effect.fail(fail(404, "CHANNEL_NOT_FOUND")),
      StorageError: internal
    })
  )
  return empty
})

const clear = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const channel = yield* BrokerArguments.existingChannel(target)
  yield* Effect.catchTag(channel.empty, "StorageError", internal)
  return empty
})

const pause = (paused: boolean) =>
  Effect.fnUntraced(function*({ target }: HttpRequest) {
    const channel = yield* BrokerArguments.existingChannel(target)
    yield* Effect.catchTag(Broker.use(({ pauseChannel }) => pauseChannel(channel, paused)), "StorageError", internal)
    return empty
  })

/** The endpoints, for the broker of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker> = Effect.map(Broker, (broker) => {
  const post = (
    path: string,
    handle: (request: HttpRequest) => Effect.Effect<HttpResponse, HttpFailure, Broker>
  ): Route => route("POST", path, (request) => Effect.provideService(handle(request), Broker, broker))
  return [
    post("/channel/create", create),
    post("/channel/delete", remove),
    post("/channel/empty", clear),
    post("/channel/pause", pause(true)),
    post("/channel/unpause", pause(false))
  ]
})
