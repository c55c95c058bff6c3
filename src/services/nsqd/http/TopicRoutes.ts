/**
 * `/topic/*`: creates, deletes, empties, pauses and unpauses topics, and changes their durability.
 */
import { Effect } from "effect"
import { isEphemeral } from "../../../protocol/client/Names.ts"
import * as Arguments from "../../http/Arguments.ts"
import { fail, json } from "../../http/HttpResponse.ts"
import type { RequestTarget } from "../../http/RequestTarget.ts"
import type { Route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import { parseDurability } from "../options/Durability.ts"
import * as BrokerArguments from "./BrokerArguments.ts"
import { post } from "./BrokerRoute.ts"

const create = Effect.fnUntraced(function*(target: RequestTarget) {
  const name = yield* Arguments.topicName(target)
  yield* Broker.use(({ topic }) => topic(name))
})

const remove = Effect.fnUntraced(function*(target: RequestTarget) {
  const name = yield* Arguments.anyTopicName(target)
  yield* Broker.use(({ deleteTopic }) => deleteTopic(name))
})

const clear = Effect.fnUntraced(function*(target: RequestTarget) {
  const topic = yield* Effect.flatMap(Arguments.topicName(target), BrokerArguments.topicNamed)
  yield* topic.empty
})

const pause = (paused: boolean) =>
  Effect.fnUntraced(function*(target: RequestTarget) {
    const topic = yield* Effect.flatMap(Arguments.anyTopicName(target), BrokerArguments.topicNamed)
    yield* Broker.use(({ pauseTopic }) => pauseTopic(topic, paused))
  })

const setDurability = Effect.fnUntraced(function*(target: RequestTarget) {
  const name = yield* Arguments.topicName(target)
  const requested = target.query?.get("durability")
  if (requested === undefined) return yield* fail(400, "MISSING_ARG_DURABILITY")
  const durability = parseDurability(requested)
  if (durability === undefined && requested !== "default") return yield* fail(400, "INVALID_ARG_DURABILITY")
  // Ephemeral topics are always in memory, and nothing of them is remembered.
  if (isEphemeral(name) && durability !== undefined && durability !== "memory") {
    return yield* fail(400, "INVALID_ARG_DURABILITY")
  }
  const current = yield* Broker.use((broker) => broker.setDurability(name, durability))
  return json({ durability: current })
})

/** The endpoints, for the broker of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker> = Effect.map(Broker, (broker) => {
  const endpoint = post(broker)
  return [
    endpoint("/topic/create", create),
    endpoint("/topic/delete", remove),
    endpoint("/topic/empty", clear),
    endpoint("/topic/pause", pause(true)),
    endpoint("/topic/unpause", pause(false)),
    endpoint("/topic/durability", setDurability),
    endpoint("/topic/durability", setDurability, "PUT")
  ]
})
