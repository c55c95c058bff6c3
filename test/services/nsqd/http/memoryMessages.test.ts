/** `/messages` of topics that are not durable: messages in memory and in the files of disk queues. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { MessagesPage } from "../../../../src/protocol/http/MessagesResponse.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { until } from "../../../../src/testing/index.ts"
import { join, quiet } from "../broker/testing.ts"
import { type Api, outcome, refusal, serve } from "./api.ts"

const decodePage = Schema.decodeUnknownEffect(Schema.fromJsonString(MessagesPage))

const pageOf = (api: Api, query: string) =>
  Effect.flatMap(api.request("GET", `/messages?topic=t&${query}`), ({ text }) => Effect.orDie(decodePage(text)))

/** All pages, one after another. */
const allOf = Effect.fnUntraced(function*(api: Api, query: string) {
  const messages: Array<MessagesPage["messages"][number]> = []
  let pages = 0
  for (let from: number | string = "beginning";;) {
    const page: MessagesPage = yield* pageOf(api, `${query}&from=${from}`)
    messages.push(...page.messages)
    pages++
    if (page.next === null) return { messages, pages, bodies: messages.map(({ body }) => body) }
    from = page.next
  }
})

const publish = (api: Api, body: string, more = "") => api.request("POST", `/pub?topic=t${more}`, body)

const listed = (api: Api, query: string) => Effect.map(api.request("GET", `/messages?topic=t&${query}`), outcome)

/** Topic `t` is not durable; it and each channel keep two messages in memory, and the others in files. */
const start = serve({ durability: "written", topicDurability: ["t=memory"], memQueueSize: 2 })

/**
 * A channel with messages in every place: `one` and `two` are in flight, `three` is in flight a second time, `four` is deferred, `five`
 * and `six` wait in memory, and `seven` to `nine` in files.
 */
const mixed = Effect.gen(function*() {
  const api = yield* start
  const { channel, recording, subscription } = yield* Effect.provideService(join("t", "c", 3), Broker, api.broker)
  for (const body of ["one", "two", "three"]) yield* publish(api, body)
  yield* until(() => recording.bodies().length === 3)
  const ids = recording.take().map(({ id }) => id)
  subscription.requeue(messageKey(ids[2] ?? ""), 0)
  yield* until(() => recording.bodies().length === 1)
  subscription.setReady(0)
  yield* publish(api, "four", "&defer=60000")
  for (const body of ["five", "six", "seven", "eight", "nine"]) yield* publish(api, body)
  yield* until(() => channel.depth === 5 && channel.backendDepth === 3)
  return { api, channel, subscription, recording, ids }
})

const waitingOnDisk = ["seven", "eight", "nine"]
const inMemory = ["one", "two", "three", "four", "five", "six"]

describe("/messages of a topic that is not durable", () => {
  it.live("shows messages in memory and on disk with their states, without consuming them", () =>
    Effect.gen(function*() {
      const { api, channel } = yield* mixed
      assert.strictEqual(channel.backendDepth, 3)
      const { messages, next, scanned } = yield* pageOf(api, "channel=c")
      assert.deepStrictEqual(
        messages.map(({ attempts, body, body_size, state }) => [body, state, attempts, body_size]),
        [
          ["one", "in_flight", 1, 3],
          ["two", "in_flight", 1, 3],
          ["three", "in_flight", 2, 5],
          ["four", "deferred", 0, 4],
          ["five", "waiting", 0, 4],
          ["six", "waiting", 0, 3],
          ["seven", "waiting", 0, 5],
          ["eight", "waiting", 0, 5],
          ["nine", "waiting", 0, 4]
        ]
      )
      assert.isNull(next)
      assert.strictEqual(scanned, 9)
      for (const message of messages) {
        assert.notProperty(message, "sequence")
        assert.match(message.id, /^[0-9a-f]{16}$/)
        assert.closeTo(Number(BigInt(message.timestamp) / 1_000_000n), Date.now(), 60_000)
      }
      const deferred = messages[3]
      assert.isAbove(deferred?.due ?? 0, Number(BigInt(deferred?.timestamp ?? "0") / 1_000_000n) + 59_000)
      for (
        const [states, bodies] of [
          ["in_flight", ["one", "two", "three"]],
          ["deferred", ["four"]],
          ["waiting", ["five", "six", ...waitingOnDisk]],
          ["in_flight,deferred", ["one", "two", "three", "four"]]
        ] as const
      ) {
        assert.deepStrictEqual((yield* allOf(api, `channel=c&state=${states}`)).bodies, [...bodies])
      }
      assert.deepStrictEqual([channel.depth, channel.inFlightCount, channel.deferredCount], [5, 3, 1])
    }).pipe(Effect.provide(quiet)))

  it.live("pages follow each other through memory and files, with filters, and end at limits of size and time", () =>
    Effect.gen(function*() {
      const { api } = yield* mixed
      for (const limit of [1, 2, 4, 6, 7, 9, 100]) {
        const { bodies, pages } = yield* allOf(api, `channel=c&limit=${limit}`)
        assert.deepStrictEqual(bodies, [...inMemory, ...waitingOnDisk])
        assert.strictEqual(pages, Math.ceil(9 / limit))
      }
      assert.deepStrictEqual((yield* allOf(api, "channel=c&contains=e&limit=2")).bodies, [
        "one",
        "three",
        "five",
        ...waitingOnDisk
      ])
      assert.deepStrictEqual((yield* allOf(api, "channel=c&regex=%5E.i")).bodies, ["five", "six", "eight", "nine"])
      assert.deepStrictEqual((yield* pageOf(api, "channel=c&contains=none")).scanned, 9)
      const large = "x".repeat(400 * 1024)
      for (let i = 0; i < 5; i++) yield* publish(api, `${i}${large}`)
      const sizes = yield* allOf(api, "channel=c&state=waiting&contains=xx&body_bytes=1000000")
      assert.strictEqual(sizes.messages.length, 5)
      assert.strictEqual(sizes.pages, 2)
      assert.strictEqual((yield* allOf(api, "channel=c&regex=e&budget=1")).messages.length, 6)
    }).pipe(Effect.provide(quiet)))

  it.live("messages that no channel has yet are those of the topic, and the others are in its channels", () =>
    Effect.gen(function*() {
      const api = yield* start
      for (const body of ["one", "two", "three", "four"]) yield* publish(api, body)
      const { bodies, messages } = yield* allOf(api, "limit=3")
      assert.deepStrictEqual(bodies, ["one", "two", "three", "four"])
      assert.deepStrictEqual(
        messages.map(({ attempts, state }) => `${state} after ${attempts}`),
        Array(4).fill("waiting after 0")
      )
      assert.deepStrictEqual((yield* pageOf(api, "state=in_flight")).messages, [])
      yield* api.request("POST", "/channel/create?topic=t&channel=c")
      yield* until(() => api.broker.findTopic("t")?.channel("c")?.depth === 4)
      assert.deepStrictEqual(yield* pageOf(api, ""), { messages: [], next: null, scanned: 0 })
      assert.deepStrictEqual((yield* pageOf(api, "channel=c")).messages.map(({ body }) => body), bodies)
    }).pipe(Effect.provide(quiet)))

  it.live("headers are shown while messages are in memory", () =>
    Effect.gen(function*() {
      const api = yield* start
      yield* publish(api, "one", "&ttl=1h")
      const [message] = (yield* pageOf(api, "")).messages
      assert.match(message?.headers?.["nsq-expires"] ?? "", /^\d+$/)
      assert.strictEqual(message?.body, "one")
    }).pipe(Effect.provide(quiet)))

  it.live("a single message in memory is deleted by its id, and one in files is refused with the reason", () =>
    Effect.gen(function*() {
      const { api, channel, ids, subscription } = yield* mixed
      const idOf = new Map((yield* pageOf(api, "channel=c")).messages.map(({ body, id }) => [body, id]))
      const remove = (id: string | undefined) =>
        Effect.map(api.request("DELETE", `/messages?topic=t&channel=c&id=${id}`), outcome)
      for (const body of ["one", "four", "six"]) {
        assert.strictEqual(yield* remove(idOf.get(body)), "200")
        assert.strictEqual(yield* remove(idOf.get(body)), refusal(404, "MESSAGE_NOT_FOUND"))
      }
      assert.strictEqual(subscription.finish(messageKey(ids[0] ?? "")), "not in flight")
      assert.strictEqual(subscription.finishCount, 1)
      for (const body of waitingOnDisk) {
        assert.match(yield* remove(idOf.get(body)), /^409 .*"MESSAGE_ON_DISK: nsqd cannot/)
      }
      assert.strictEqual(yield* remove("0123456789abcdef"), refusal(404, "MESSAGE_NOT_FOUND"))
      assert.deepStrictEqual((yield* allOf(api, "channel=c")).bodies, ["two", "three", "five", ...waitingOnDisk])
      assert.deepStrictEqual([channel.depth, channel.inFlightCount, channel.deferredCount], [4, 2, 0])
    }).pipe(Effect.provide(quiet)))

  it.live("a message that was read from files is deleted there as well", () =>
    Effect.gen(function*() {
      const { api, channel, recording, subscription } = yield* mixed
      recording.take()
      // The messages in memory, then one of those in files, which are read together.
      subscription.setReady(6)
      yield* until(() => recording.bodies().length === 3)
      assert.strictEqual(channel.depth, 2)
      const { messages } = yield* allOf(api, "channel=c&state=waiting")
      for (const { id } of messages) {
        assert.strictEqual(outcome(yield* api.request("DELETE", `/messages?topic=t&channel=c&id=${id}`)), "200")
      }
      assert.deepStrictEqual([channel.depth, channel.backendDepth], [0, 0])
      assert.deepStrictEqual((yield* allOf(api, "channel=c&state=waiting")).bodies, [])
    }).pipe(Effect.provide(quiet)))

  it.live("a single message in flight or deferred is requeued by its id, and others are not found", () =>
    Effect.gen(function*() {
      const { api, channel, recording, subscription } = yield* mixed
      const idOf = new Map((yield* pageOf(api, "channel=c")).messages.map(({ body, id }) => [body, id]))
      const requeue = (id: string | undefined) =>
        Effect.map(api.request("POST", `/messages/requeue?topic=t&channel=c&id=${id}`), outcome)
      assert.strictEqual(yield* requeue(idOf.get("two")), "200")
      assert.strictEqual(yield* requeue(idOf.get("four")), "200")
      for (const body of ["two", "four", "five", "nine"]) {
        assert.strictEqual(yield* requeue(idOf.get(body)), refusal(404, "MESSAGE_NOT_FOUND"))
      }
      assert.deepStrictEqual([channel.inFlightCount, channel.deferredCount], [2, 0])
      recording.take()
      subscription.setReady(20)
      yield* until(() => recording.bodies().length === 7)
      assert.sameMembers([...recording.bodies()], ["two", "four", "five", "six", ...waitingOnDisk])
    }).pipe(Effect.provide(quiet)))

  it.live("a message that its dead-letter topic refuses is shown as in flight, without a client, and can be deleted", () =>
    Effect.gen(function*() {
      const api = yield* serve({
        durability: "written",
        topicDurability: ["t=memory"],
        policies: [{ match: "t.dlq", max_depth: 1, on_full: "reject" }]
      })
      const { channel, recording, subscription } = yield* Effect.provideService(join("t", "c", 2), Broker, api.broker)
      yield* api.request("POST", "/pub?topic=t.dlq", "full")
      yield* publish(api, "bad")
      yield* until(() => recording.bodies().length === 1)
      const [{ id } = { id: "" }] = recording.take()
      subscription.reject(messageKey(id), "bad")
      const { messages } = yield* pageOf(api, "channel=c")
      assert.deepStrictEqual(messages.map(({ attempts, body, client, state }) => [body, state, attempts, client]), [
        ["bad", "in_flight", 1, undefined]
      ])
      const remove = api.request("DELETE", `/messages?topic=t&channel=c&id=${id}`)
      assert.strictEqual(outcome(yield* remove), "200")
      assert.strictEqual(outcome(yield* remove), refusal(404, "MESSAGE_NOT_FOUND"))
      assert.deepStrictEqual([channel.inFlightCount, channel.depth], [0, 0])
    }).pipe(Effect.provide(quiet)))

  it.live("requests that need a log or are not valid are refused with the reason", () =>
    Effect.gen(function*() {
      const { api } = yield* mixed
      const retained = "NOT_DURABLE: topic t is not durable and keeps no finished messages (--topic-durability)"
      for (const query of ["state=retained", "channel=c&state=waiting,retained"]) {
        assert.strictEqual(yield* listed(api, query), refusal(400, retained))
      }
      const place = "INVALID_ARG_FROM: must be beginning, or the next of a page, because topic t is not durable"
      for (const from of ["41", "end", "2026-11-29T08:00:00Z", "m.1.2"]) {
        assert.strictEqual(yield* listed(api, `from=${from}`), refusal(400, place))
      }
      assert.strictEqual(yield* listed(api, "channel=none"), refusal(404, "CHANNEL_NOT_FOUND"))
      const remove = (query: string) =>
        Effect.map(api.request("DELETE", `/messages?topic=t&channel=c${query}`), outcome)
      assert.strictEqual(yield* remove("&sequence=1"), refusal(400, "MISSING_ARG_ID"))
      assert.strictEqual(yield* remove("&id=1"), refusal(400, "INVALID_ARG_ID"))
    }).pipe(Effect.provide(quiet)))
})
