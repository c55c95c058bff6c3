/**
 * `/channel/*`: creates, deletes, empties, pauses and unpauses channels. None of these endpoints creates a topic.
 */
import { Effect } from "effect"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import type { Route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import * as BrokerArguments from "./BrokerArguments.ts"
import { post } from "./BrokerRoute.ts"

const create = Effect.fnUntraced(function*(target: RequestTarget) {
  const { channel: name, topic } = yield* BrokerArguments.topicAndChannelName(target)
  yield* Broker.use(({ channel }) => channel(topic.name, name))
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
    endpoint("/channel/unpause", pause(false))
  ]
})
