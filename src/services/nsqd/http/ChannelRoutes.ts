/**
 * `/channel/*`: creates, deletes, empties, pauses and unpauses channels. None of these endpoints creates a topic.
 */
import { Effect } from "effect"
import { empty } from "../../http/HttpResponse.ts"
import type { HttpRequest, Route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import * as BrokerArguments from "./BrokerArguments.ts"
import { post, storageFailed } from "./BrokerRoute.ts"

const create = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const { channel: name, topic } = yield* BrokerArguments.topicAndChannelName(target)
  yield* Broker.use(({ channel }) => channel(topic.name, name)).pipe(
    Effect.catchTags({ BrokerError: BrokerArguments.refuse, StorageError: () => storageFailed })
  )
  return empty
})

const remove = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const { name, topic } = yield* BrokerArguments.existingChannel(target)
  yield* Broker.use(({ deleteChannel }) => deleteChannel(topic, name)).pipe(
    Effect.catchTags({ BrokerError: BrokerArguments.refuse, StorageError: () => storageFailed })
  )
  return empty
})

const clear = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const channel = yield* BrokerArguments.existingChannel(target)
  yield* Effect.catchTag(channel.empty, "StorageError", () => storageFailed)
  return empty
})

const pause = (paused: boolean) =>
  Effect.fnUntraced(function*({ target }: HttpRequest) {
    const channel = yield* BrokerArguments.existingChannel(target)
    yield* Effect.catchTag(
      Broker.use(({ pauseChannel }) => pauseChannel(channel, paused)),
      "StorageError",
      () => storageFailed
    )
    return empty
  })

/** The endpoints, for the broker of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker> = Effect.map(Broker, (broker) => {
  const endpoint = post(broker)
  return [
    endpoint("/channel/create", create),
    endpoint("/channel/delete", remove),
    endpoint("/channel/empty", clear),
    endpoint("/channel/pause", pause(true)),
    endpoint("/channel/unpause", pause(false))
  ]
})
