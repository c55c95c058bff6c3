/**
 * `/topic/*`: creates, deletes, empties, pauses and unpauses topics, and changes their durability.
 */
import { Effect } from "effect"
import { isEphemeral } from "../../../protocol/client/Names.ts"
import * as Arguments from "../../http/Arguments.ts"
import { empty, fail, json } from "../../http/HttpResponse.ts"
import type { HttpRequest, Route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import { parseDurability } from "../options/Durability.ts"
import * as BrokerArguments from "./BrokerArguments.ts"
import { post, storageFailed } from "./BrokerRoute.ts"

const create = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const name = yield* Arguments.topicName(target)
  yield* Broker.use(({ topic }) => topic(name)).pipe(
    Effect.catchTags({ BrokerError: BrokerArguments.refuse, StorageError: () => storageFailed })
  )
  return empty
})

const remove = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const name = yield* Arguments.anyTopicName(target)
  yield* Broker.use(({ deleteTopic }) => deleteTopic(name)).pipe(
    Effect.catchTags({ BrokerError: BrokerArguments.refuse, StorageError: () => storageFailed })
  )
  return empty
})

const clear = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const topic = yield* Effect.flatMap(Arguments.topicName(target), BrokerArguments.topicNamed)
  yield* Effect.catchTag(topic.empty, "StorageError", () => storageFailed)
  return empty
})

const pause = (paused: boolean) =>
  Effect.fnUntraced(function*({ target }: HttpRequest) {
    const topic = yield* Effect.flatMap(Arguments.anyTopicName(target), BrokerArguments.topicNamed)
    yield* Effect.catchTag(
      Broker.use(({ pauseTopic }) => pauseTopic(topic, paused)),
      "StorageError",
      () => storageFailed
    )
    return empty
  })

const setDurability = Effect.fnUntraced(function*({ target }: HttpRequest) {
  const name = yield* Arguments.topicName(target)
  const requested = target.query?.get("durability")
  if (requested === undefined) return yield* fail(400, "MISSING_ARG_DURABILITY")
  const durability = parseDurability(requested)
  if (durability === undefined && requested !== "default") return yield* fail(400, "INVALID_ARG_DURABILITY")
  // Ephemeral topics are always in memory, and nothing of them is remembered.
  if (isEphemeral(name) && durability !== undefined && durability !== "memory") {
    return yield* fail(400, "INVALID_ARG_DURABILITY")
  }
  const current = yield* Broker.use((broker) => broker.setDurability(name, durability)).pipe(
    Effect.catchTags({ BrokerError: BrokerArguments.refuse, StorageError: () => storageFailed })
  )
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
