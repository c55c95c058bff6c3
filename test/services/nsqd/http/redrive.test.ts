import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import { RedriveProgress } from "../../../../src/protocol/http/RedriveResponse.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { until } from "../../../../src/testing/index.ts"
import { join, quiet } from "../broker/testing.ts"
import { type Api, outcome, refusal, serve } from "./api.ts"

const line = (api: Api, method: string, path: string) => Effect.map(api.request(method, path), outcome)

/** A durable topic whose three messages were rejected. */
const rejected = Effect.gen(function*() {
  const api = yield* serve({ durability: "written" })
  yield* Effect.gen(function*() {
    const { channel, recording, subscription } = yield* join("t", "c", 10)
    for (const body of ["one", "two", "three"]) yield* api.request("POST", "/pub?topic=t", body)
    yield* until(() => recording.bodies().length === 3)
    for (const { id } of recording.take()) subscription.reject(messageKey(id), "bad")
    yield* until(() => channel.deadLetterCount === 3)
  }).pipe(Effect.scoped, Effect.provideService(Broker, api.broker))
  return api
})

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(RedriveProgress))

/** Waits for the end of the redrive. */
const ended = Effect.fnUntraced(function*(api: Api) {
  while (true) {
    const progress = yield* Effect.flatMap(api.request("GET", "/topic/redrive?topic=t.dlq"), ({ text }) => decode(text))
    if (progress.state !== "running") return progress
    yield* Effect.yieldNow
  }
})

const begin = (api: Api, query: string) => line(api, "POST", `/topic/redrive?topic=t.dlq${query}`)

describe("/topic/redrive", () => {
  it.live("publishes dead letters to where they came from, and can be repeated", () =>
    Effect.gen(function*() {
      const api = yield* rejected
      yield* begin(api, "&regex=%5Eo&contains=three")
      assert.strictEqual((yield* ended(api)).moved, 0)
      assert.include(yield* begin(api, "&regex=o(ne)%3F"), `"channel":"redrive"`)
      const first = yield* ended(api)
      assert.deepStrictEqual([first.state, first.moved, first.skipped, first.scanned], ["done", 2, 0, 3])
      yield* begin(api, "")
      const second = yield* ended(api)
      assert.deepStrictEqual([second.state, second.moved], ["done", 1])
      const channel = api.broker.findTopic("t.dlq")?.channel("redrive")
      yield* until(() => channel?.unfinished === 0)
      yield* Effect.gen(function*() {
        const { recording } = yield* join("t", "c", 10, { readsHeaders: true })
        yield* until(() => recording.bodies().length === 3)
        assert.deepStrictEqual(recording.take().map(({ body, headers }) => [body, headers]), [
          ["one", { "nsq-redriven": "1" }],
          ["two", { "nsq-redriven": "1" }],
          ["three", { "nsq-redriven": "1" }]
        ])
      }).pipe(Effect.scoped, Effect.provideService(Broker, api.broker))
    }).pipe(Effect.provide(quiet)))

  it.live("publishes to another topic, at a rate, until it is cancelled", () =>
    Effect.gen(function*() {
      const api = yield* rejected
      yield* begin(api, "&to=other&rate=1")
      const other = yield* api.broker.topic(TopicName.make("other"))
      yield* until(() => other.messageCount === 1)
      assert.strictEqual(yield* begin(api, ""), refusal(409, "REDRIVE_RUNNING"))
      const cancelled = yield* Effect.flatMap(
        api.request("DELETE", "/topic/redrive?topic=t.dlq"),
        ({ text }) => decode(text)
      )
      assert.deepStrictEqual([cancelled.state, cancelled.moved, cancelled.to], ["cancelled", 1, "other"])
      yield* begin(api, "&to=other")
      yield* ended(api)
      assert.strictEqual(other.messageCount, 3)
    }).pipe(Effect.provide(quiet)))

  it.effect("a single one is meant by its id, also if another one had the same id in its topic of origin", () =>
    Effect.gen(function*() {
      const api = yield* serve({ durability: "written" })
      // The clock stands still: the ids of both topics are the same.
      const origins = yield* Effect.gen(function*() {
        const { channel, recording, subscription } = yield* join("t", "c", 10)
        for (const body of ["one", "two", "three"]) yield* api.request("POST", "/pub?topic=t", body)
        yield* until(() => recording.bodies().length === 3)
        const ids = recording.take().map(({ id }) => id)
        for (const id of ids.slice(1)) subscription.reject(messageKey(id), "bad")
        yield* until(() => channel.deadLetterCount === 2)
        return ids
      }).pipe(Effect.scoped, Effect.provideService(Broker, api.broker))
      const letters = yield* api.request("GET", "/messages?topic=t.dlq")
      const [, second] = Array.from(letters.text.matchAll(/"id":"([0-9a-f]{16})"/g), ([, id]) => id)
      assert.strictEqual(second, origins[1])
      const moved = (id: string | undefined) =>
        Effect.andThen(begin(api, `&id=${id}`), Effect.map(ended(api), (redrive) => redrive.moved))
      // The id of "three", which "two" had before; the same again; and the one that "three" had before.
      assert.deepStrictEqual([yield* moved(second), yield* moved(second), yield* moved(origins[2])], [1, 0, 0])
      const { text } = yield* api.request("GET", "/messages?topic=t.dlq&channel=redrive&state=waiting")
      assert.include(text, String(origins[0]))
    }).pipe(Effect.provide(quiet)))

  it.live("of two requests at once only one begins a redrive", () =>
    Effect.gen(function*() {
      const api = yield* rejected
      // As on a slow disk, the channel is created when both requests have arrived.
      const { channel } = api.broker
      const turns = Effect.forEach(Array.from({ length: 100 }), () => Effect.yieldNow, { discard: true })
      Reflect.set(
        api.broker,
        "channel",
        (...names: Parameters<typeof channel>) => Effect.andThen(turns, channel(...names))
      )
      const responses = yield* Effect.all([begin(api, ""), begin(api, "")], { concurrency: "unbounded" })
      assert.strictEqual(responses.filter((response) => response === refusal(409, "REDRIVE_RUNNING")).length, 1)
      yield* ended(api)
      assert.strictEqual(api.broker.findTopic("t")?.messageCount, 6)
    }).pipe(Effect.provide(quiet)))

  it.live("a request that is not valid is refused", () =>
    Effect.gen(function*() {
      const api = yield* rejected
      assert.strictEqual(
        yield* begin(api, "&to=t.dlq"),
        refusal(400, "INVALID_ARG_TO: must be the name of another topic")
      )
      assert.strictEqual(
        yield* begin(api, "&rate=-1"),
        refusal(400, "INVALID_ARG_RATE: must be a whole number of messages per second; 0 for no limit")
      )
      assert.strictEqual(
        yield* begin(api, "&json=x"),
        refusal(400, "INVALID_ARG_JSON: must be a path and a value, such as user.id=42")
      )
      assert.strictEqual(
        yield* begin(api, "&regex=("),
        refusal(400, "INVALID_ARG_REGEX: must be a regular expression in the syntax of RE2")
      )
      for (const id of ["", "one", "0123456789abcdeg"]) {
        assert.strictEqual(
          yield* begin(api, `&id=${id}`),
          refusal(400, "INVALID_ARG_ID: must be the id of a message, which has 16 hexadecimal digits")
        )
      }
      assert.strictEqual(yield* begin(api, "&channel=$"), refusal(400, "INVALID_ARG_CHANNEL"))
      assert.strictEqual(yield* line(api, "GET", "/topic/redrive?topic=t.dlq"), refusal(404, "REDRIVE_NOT_FOUND"))
      assert.strictEqual(yield* line(api, "POST", "/topic/redrive?topic=none"), refusal(404, "TOPIC_NOT_FOUND"))
      yield* api.request("POST", "/channel/create?topic=t.dlq&channel=a")
      yield* api.request("POST", "/channel/create?topic=t.dlq&channel=b")
      assert.strictEqual(yield* begin(api, ""), refusal(400, "MISSING_ARG_CHANNEL"))
    }).pipe(Effect.provide(quiet)))
})
