/**
 * nsqlookupd's endpoints, except `/watch` and profiles (docs/protocol/http.md#nsqlookupd-endpoints). As in NSQ, `*` means all
 * topics for those that do not check the topic's name.
 */
import { Effect, type Scope } from "effect"
import { isTopicName } from "../../protocol/client/Names.ts"
import type { Channels, Topics } from "../../protocol/http/LookupResponse.ts"
import { packageVersion, version } from "../core/Version.ts"
import * as Arguments from "../http/Arguments.ts"
import * as HttpResponse from "../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../http/Router.ts"
import * as StreamedResponse from "../http/StreamedResponse.ts"
import * as LookupJson from "./LookupJson.ts"
import type { Entry } from "./Registration.ts"
import { Registrations } from "./Registrations.ts"

const well = HttpResponse.plain(200, "OK")
const info = HttpResponse.json({ version, effect_nsq_version: packageVersion })

const logRemoved = ({ category, channel, topic }: Entry): Effect.Effect<void> =>
  Effect.logInfo(
    category === "channel" ? `DB: removing channel(${channel}) from topic(${topic})` : `DB: removing topic(${topic})`
  )

/** The endpoints on the registrations of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Registrations | Scope.Scope> = Effect.gen(function*() {
  const registrations = yield* Registrations
  const stream = yield* StreamedResponse.make

  const channels = ({ target }: HttpRequest) =>
    Effect.map(
      Arguments.anyTopicName(target),
      (topic) => HttpResponse.json({ channels: registrations.channels(topic) } satisfies Channels)
    )

  const lookup = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const found = registrations.lookup(yield* Arguments.anyTopicName(target))
    return found === undefined
      ? yield* HttpResponse.fail(404, "TOPIC_NOT_FOUND")
      : HttpResponse.json(LookupJson.lookup(found))
  })

  const createTopic = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const topic = yield* Arguments.anyTopicName(target)
    if (!isTopicName(topic)) return yield* HttpResponse.fail(400, "INVALID_ARG_TOPIC")
    yield* Effect.logInfo(`DB: adding topic(${topic})`)
    registrations.createTopic(topic)
    return HttpResponse.empty
  })

  const deleteTopic = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const topic = yield* Arguments.anyTopicName(target)
    yield* Effect.forEach(registrations.deleteTopic(topic), logRemoved, { discard: true })
    return HttpResponse.empty
  })

  const tombstone = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const topic = yield* Arguments.anyTopicName(target)
    const node = target.query?.get("node")
    if (node === undefined) return yield* HttpResponse.fail(400, "MISSING_ARG_NODE")
    yield* Effect.logInfo(`DB: setting tombstone for producer@${node} of topic(${topic})`)
    registrations.tombstone(topic, node)
    return HttpResponse.empty
  })

  const createChannel = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const { channel, topic } = yield* Arguments.topicAndChannelNames(target)
    yield* Effect.logInfo(`DB: adding channel(${channel}) in topic(${topic})`)
    yield* Effect.logInfo(`DB: adding topic(${topic})`)
    registrations.createChannel(topic, channel)
    return HttpResponse.empty
  })

  const deleteChannel = Effect.fnUntraced(function*({ target }: HttpRequest) {
    const { channel, topic } = yield* Arguments.topicAndChannelNames(target)
    if (!registrations.deleteChannel(topic, channel)) return yield* HttpResponse.fail(404, "CHANNEL_NOT_FOUND")
    yield* logRemoved({ category: "channel", topic, channel })
    return HttpResponse.empty
  })

  const respond = (make: () => HttpResponse.HttpResponse) => () => Effect.sync(make)

  return [
    route("GET", "/ping", respond(() => well)),
    route("GET", "/info", respond(() => info)),
    route("GET", "/debug", () => stream(LookupJson.debugPieces(registrations.debug()))),
    route("GET", "/topics", respond(() => HttpResponse.json({ topics: registrations.topics() } satisfies Topics))),
    route("GET", "/nodes", respond(() => HttpResponse.json(LookupJson.nodes(registrations.nodes())))),
    route("GET", "/channels", channels),
    route("GET", "/lookup", lookup),
    route("POST", "/topic/create", createTopic),
    route("POST", "/topic/delete", deleteTopic),
    route("POST", "/topic/tombstone", tombstone),
    route("POST", "/channel/create", createChannel),
    route("POST", "/channel/delete", deleteChannel)
  ]
})
