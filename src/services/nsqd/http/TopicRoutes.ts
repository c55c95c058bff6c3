/**
 * `/topic/*`: creates, deletes, empties, pauses and unpauses topics.
 */
import { Effect } from "effect"
import * as Arguments from "../../http/Arguments.ts"
import { empty, fail, HttpFailure, type HttpResponse, internalError } from "../../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import * as BrokerArguments from "./BrokerArguments.ts"

const internal = () => Effect.fail(new HttpFailure({ response: internalError }))

const create = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const name = yield* Arguments.topicName(target)
  yield* Broker.use(({ topic }) => topic(name)).pipe(
    Effect.catchTags({ LimitReached: BrokerArguments.refuse, StorageError: internal })
  )
  return empty
})

const remove = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const name = yield* Arguments.anyTopicName(target)
  yield* Broker.use(({ deleteTopic }) => deleteTopic(name)).pipe(
    Effect.catchTags({ TopicNotFound: () => Effect.fail(fail(404, "TOPIC_NOT_FOUND")), StorageError: internal })
  )
  return empty
})

const clear = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const topic = yield* Effect.flatMap(Arguments.topicName(target), BrokerArguments.topicNamed)
  yield* Effect.catchTag(topic.empty, "StorageError", internal)
  return empty
})

const pause = (paused: boolean) =>
  Effect.fnUntraced(function*({ target }: HttpRequest) {
    const topic = yield* Effect.flatMap(Arguments.anyTopicName(target), BrokerArguments.topicNamed)
    yield* Effect.catchTag(Broker.use(({ pauseTopic }) => pauseTopic(topic, paused)), "StorageError", internal)
    return empty
  })

/** The endpoints, for the broker of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker> = Effect.map(Broker, (broker) => {
  const post = (
    path: string,
    handle: (request: HttpRequest) => Effect.Effect<HttpResponse, HttpFailure, Broker>
  ): Route => route("POST", path, (request) => Effect.provideService(handle(request), Broker, broker))
  return [
    post("/topic/create", create),
    post("/topic/delete", remove),
    post("/topic/empty", clear),
    post("/topic/pause", pause(true)),
    post("/topic/unpause", pause(false))
  ]
})
