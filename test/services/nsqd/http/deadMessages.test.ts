/** `GET /messages?state=dead`: the dead letters of a topic or a channel. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { MessagesPage } from "../../../../src/protocol/http/MessagesResponse.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { until } from "../../../../src/testing/index.ts"
import { join, quiet } from "../broker/testing.ts"
import { type Api, outcome, refusal, serve } from "./api.ts"

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(MessagesPage))

const pageOf = (api: Api, query: string) =>
  Effect.flatMap(api.request("GET", `/messages?state=dead&${query}`), ({ text }) => Effect.orDie(decode(text)))

const refused = (api: Api, query: string) => Effect.map(api.request("GET", `/messages?state=dead&${query}`), outcome)

/** Makes these messages dead letters of a channel. */
const bury = (api: Api, topic: string, name: string, ...bodies: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { channel, recording, subscription } = yield* join(topic, name, bodies.length)
    for (const body of bodies) yield* api.request("POST", `/pub?topic=${topic}`, body)
    yield* until(() => recording.bodies().length === bodies.length)
    for (const { id } of recording.take()) subscription.reject(messageKey(id), "bad")
    yield* until(() => channel.deadLetterCount === bodies.length)
  }).pipe(Effect.scoped, Effect.provideService(Broker, api.broker))

const bodiesOf = ({ messages }: MessagesPage) => messages.map(({ body }) => body)

describe("/messages with the state dead", () => {
  it.live("shows the dead letters of a topic or a channel, in the topic of its policy, without those of others", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        durability: "written",
        policies: [{ match: "t/b", dead_letter: "{topic}.{channel}.dead" }, { match: "u", dead_letter: "t.dlq" }]
      })
      yield* bury(api, "t", "a", "one", "two", "three")
      yield* bury(api, "u", "a", "other")
      yield* api.request("POST", "/pub?topic=t.dlq", "no origin")
      const page = yield* pageOf(api, "topic=t&channel=a")
      assert.deepStrictEqual([bodiesOf(page), page.topic, page.next], [["one", "two", "three"], "t.dlq", null])
      const [first] = page.messages
      assert.strictEqual(first?.state, "dead")
      assert.deepInclude(first?.headers, { "nsq-origin-channel": "a", "nsq-dead-reason": "bad" })
      assert.deepStrictEqual(bodiesOf(yield* pageOf(api, "topic=t")), ["one", "two", "three"])
      assert.deepStrictEqual(bodiesOf(yield* pageOf(api, "topic=u")), ["other"])
      assert.deepStrictEqual(bodiesOf(yield* pageOf(api, "topic=t&channel=a&contains=t")), ["two", "three"])
      assert.deepStrictEqual(yield* pageOf(api, "topic=t&channel=b"), {
        messages: [],
        next: null,
        scanned: 0,
        topic: "t.b.dead"
      })
      yield* bury(api, "t", "b", "four")
      const ofB = yield* pageOf(api, "topic=t&channel=b")
      assert.deepStrictEqual([bodiesOf(ofB), ofB.topic], [["four"], "t.b.dead"])
      assert.deepStrictEqual((yield* pageOf(api, "topic=t&channel=never")).messages, [])
    }).pipe(Effect.provide(quiet)))

  it.live("pages follow each other, and what the channels of the dead-letter topic have finished is not shown", () =>
    Effect.gen(function*() {
      const api = yield* serve({ durability: "written" })
      yield* bury(api, "t", "a", "one", "two", "three")
      const first = yield* pageOf(api, "topic=t&limit=2")
      assert.deepStrictEqual(bodiesOf(first), ["one", "two"])
      assert.deepStrictEqual(bodiesOf(yield* pageOf(api, `topic=t&limit=2&from=${first.next}`)), ["three"])
      yield* api.request("POST", "/channel/create?topic=t.dlq&channel=c&from=beginning")
      const [{ sequence } = { sequence: 0 }] = first.messages
      assert.strictEqual(
        outcome(yield* api.request("DELETE", `/messages?topic=t.dlq&channel=c&sequence=${sequence}`)),
        "200"
      )
      assert.deepStrictEqual(bodiesOf(yield* pageOf(api, "topic=t")), ["two", "three"])
    }).pipe(Effect.provide(quiet)))

  it.live("the dead letters in the memory of a topic that is not durable are shown once, whatever its channels have", () =>
    Effect.gen(function*() {
      const api = yield* serve({ durability: "written", topicDurability: ["m*=memory"] })
      yield* api.request("POST", "/topic/create?topic=m.dlq")
      yield* bury(api, "m", "a", "one", "two", "three")
      yield* bury(api, "m", "b", "other")
      const ofA = yield* pageOf(api, "topic=m&channel=a")
      assert.deepStrictEqual([bodiesOf(ofA), ofA.topic, ofA.next], [["one", "two", "three"], "m.dlq", null])
      assert.deepStrictEqual(ofA.messages.map(({ sequence, state }) => [sequence, state]), [
        [undefined, "dead"],
        [undefined, "dead"],
        [undefined, "dead"]
      ])
      yield* api.request("POST", "/topic/pause?topic=m.dlq")
      for (const channel of ["x", "y"]) yield* api.request("POST", `/channel/create?topic=m.dlq&channel=${channel}`)
      yield* api.request("POST", "/topic/unpause?topic=m.dlq")
      yield* until(() => api.broker.findTopic("m.dlq")?.channel("y")?.depth === 4)
      assert.deepStrictEqual(bodiesOf(yield* pageOf(api, "topic=m&channel=a")), ["one", "two", "three"])
      const first = yield* pageOf(api, "topic=m&limit=3")
      assert.deepStrictEqual(bodiesOf(first), ["one", "two", "three"])
      assert.deepStrictEqual(bodiesOf(yield* pageOf(api, `topic=m&limit=3&from=${first.next}`)), ["other"])
    }).pipe(Effect.provide(quiet)))

  it.live("names that are not valid, and topics that have never existed, are refused", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        durability: "written",
        policies: [{ match: "each*", dead_letter: "{topic}.{channel}" }]
      })
      assert.strictEqual(yield* refused(api, "topic=t"), refusal(404, "TOPIC_NOT_FOUND"))
      assert.strictEqual(yield* refused(api, "topic=$"), refusal(400, "INVALID_TOPIC"))
      assert.strictEqual(yield* refused(api, "topic=t&channel=$"), refusal(400, "INVALID_ARG_CHANNEL"))
      assert.strictEqual(yield* refused(api, "topic=each"), refusal(400, "MISSING_ARG_CHANNEL"))
      yield* api.request("POST", "/topic/create?topic=t")
      assert.strictEqual(
        yield* refused(api, "topic=t&regex=("),
        refusal(400, "INVALID_ARG_REGEX: must be a regular expression in the syntax of RE2")
      )
    }).pipe(Effect.provide(quiet)))
})
