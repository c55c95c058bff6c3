import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch, Schema } from "effect"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { MessagesPage } from "../../../../src/protocol/http/MessagesResponse.ts"
import { Turns } from "../../../../src/services/core/Turns.ts"
import type { Channel } from "../../../../src/services/nsqd/broker/Channel.ts"
import { until } from "../../../../src/testing/index.ts"
import { recordingConsumer } from "../broker/consumers.ts"
import { quiet } from "../broker/testing.ts"
import { type Api, outcome, refusal, serve } from "./api.ts"

const decodePage = Schema.decodeUnknownEffect(Schema.fromJsonString(MessagesPage))

const pageOf = (api: Api, query: string) =>
  Effect.flatMap(api.request("GET", `/messages?${query}`), ({ text }) => Effect.orDie(decodePage(text)))

const sequencesOf = (api: Api, query: string) =>
  Effect.map(pageOf(api, query), ({ messages }) => messages.map(({ sequence }) => sequence))

const publish = (api: Api, body: string | Buffer, more = "") => api.request("POST", `/pub?topic=t${more}`, body)

const consume = (channel: Channel, ready: number) =>
  Effect.gen(function*() {
    const recorder = recordingConsumer()
    const subscription = yield* Effect.fromResult(
      channel.subscribe(recorder.consumer, { msgTimeout: 60_000, sampleRate: 0 })
    )
    subscription.setReady(ready)
    return {
      subscription,
      bodies: recorder.bodies,
      received: (count: number) => until(() => recorder.bodies().length === count),
      finishFirst: () => subscription.finish(messageKey(recorder.take()[0]?.id ?? ""))
    }
  })

const start = Effect.gen(function*() {
  const api = yield* serve({ durability: "written" })
  const channel = yield* api.broker.channel(TopicName.make("t"), ChannelName.make("c"))
  return { api, channel }
})

/** A channel with messages in every state: 1 finished, 2 in flight, 3 waiting, 4 deferred. */
const mixed = Effect.gen(function*() {
  const { api, channel } = yield* start
  const consumer = yield* consume(channel, 2)
  for (const body of ["one", "two"]) yield* publish(api, body)
  yield* consumer.received(2)
  consumer.subscription.setReady(0)
  yield* publish(api, "three")
  yield* publish(api, "four", "&defer=60000")
  consumer.finishFirst()
  return { api, channel }
})

describe("/messages", () => {
  it.live("shows messages with their states in a channel, without consuming them", () =>
    Effect.gen(function*() {
      const { api, channel } = yield* mixed
      const { messages, next } = yield* pageOf(api, "topic=t&channel=c")
      assert.deepStrictEqual(
        messages.map(({ attempts, body, body_size, sequence, state }) => [sequence, state, body, body_size, attempts]),
        [[1, "retained", "one", 3, 0], [2, "in_flight", "two", 3, 1], [3, "waiting", "three", 5, 0], [
          4,
          "deferred",
          "four",
          4,
          0
        ]]
      )
      assert.isNull(next)
      const [, , , deferred] = messages
      assert.isAbove(deferred?.due ?? 0, Number(BigInt(deferred?.timestamp ?? "0") / 1_000_000n) + 59_000)
      for (const [state, sequence] of [["retained", 1], ["in_flight", 2], ["waiting", 3], ["deferred", 4]] as const) {
        assert.deepStrictEqual(yield* sequencesOf(api, `topic=t&channel=c&state=${state}`), [sequence])
      }
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t&channel=c&state=waiting,in_flight,deferred"), [2, 3, 4])
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t&state=waiting"), [2, 3, 4])
      assert.deepStrictEqual([channel.depth, channel.inFlightCount, channel.deferredCount], [1, 1, 1])
    }).pipe(Effect.provide(quiet)))

  it.live("pages follow each other from a sequence, and filters pass over the other messages", () =>
    Effect.gen(function*() {
      const { api } = yield* start
      for (let i = 1; i <= 30; i++) {
        yield* publish(api, JSON.stringify({ user: { id: i % 3, name: `n${i}` }, tags: ["a", i] }))
      }
      const first = yield* pageOf(api, "topic=t&limit=7&json=user.id=0")
      assert.deepStrictEqual(first.messages.map(({ sequence }) => sequence), [3, 6, 9, 12, 15, 18, 21])
      assert.strictEqual(first.next, 24)
      assert.deepStrictEqual(yield* sequencesOf(api, `topic=t&json=user.id=0&from=${first.next}`), [24, 27, 30])
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t&json=tags.1=17"), [17])
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t&contains=%22n12%22"), [12])
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t&regex=n1%5B57%5D"), [15, 17])
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t&regex=n1&json=user.id=2"), [11, 14, 17])
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t&from=end"), [])
    }).pipe(Effect.provide(quiet)))

  it.live("bodies are cut, and are Base64 unless they are UTF-8", () =>
    Effect.gen(function*() {
      const { api } = yield* start
      yield* publish(api, "0123456789")
      yield* publish(api, "ää")
      yield* publish(api, Buffer.from([0xff, 0xfe, 0xfd, 0xfc]))
      const { messages } = yield* pageOf(api, "topic=t&body_bytes=3")
      assert.deepStrictEqual(messages.map(({ body, body_base64, body_size }) => [body, body_base64, body_size]), [
        ["012", undefined, 10],
        ["ä", undefined, 4],
        [undefined, "//79", 4]
      ])
    }).pipe(Effect.provide(quiet)))

  it.live("a single message is deleted whether it waits, is in flight or is deferred", () =>
    Effect.gen(function*() {
      const { api, channel } = yield* mixed
      for (const sequence of [2, 3, 4]) {
        const path = `/messages?topic=t&channel=c&sequence=${sequence}`
        assert.strictEqual(outcome(yield* api.request("DELETE", path)), "200")
        assert.strictEqual(outcome(yield* api.request("DELETE", path)), refusal(404, "MESSAGE_NOT_FOUND"))
      }
      assert.deepStrictEqual([channel.depth, channel.inFlightCount, channel.deferredCount], [0, 0, 0])
      yield* publish(api, "five")
      const consumer = yield* consume(channel, 10)
      yield* consumer.received(1)
      assert.deepStrictEqual(consumer.bodies(), ["five"])
    }).pipe(Effect.provide(quiet)))

  it.live("a single message in flight or deferred is requeued, and others are not found", () =>
    Effect.gen(function*() {
      const { api, channel } = yield* mixed
      const requeue = (sequence: number) =>
        Effect.map(api.request("POST", `/messages/requeue?topic=t&channel=c&sequence=${sequence}`), outcome)
      assert.strictEqual(yield* requeue(2), "200")
      assert.strictEqual(yield* requeue(4), "200")
      for (const sequence of [1, 3, 99]) {
        assert.strictEqual(yield* requeue(sequence), refusal(404, "MESSAGE_NOT_FOUND"))
      }
      assert.deepStrictEqual([channel.depth, channel.inFlightCount, channel.deferredCount], [3, 0, 0])
      const consumer = yield* consume(channel, 10)
      yield* consumer.received(3)
      assert.sameMembers([...consumer.bodies()], ["two", "three", "four"])
    }).pipe(Effect.provide(quiet)))

  it.live("a page beyond the 16 that are read is refused, and one that is read makes room", () =>
    Effect.gen(function*() {
      const reading = yield* Latch.make(true)
      let waiting = 0
      const next = Effect.suspend(() => {
        waiting++
        return Effect.ensuring(reading.await, Effect.sync(() => void waiting--))
      })
      const turns: Turns = { isOver: () => true, next }
      const { api } = yield* Effect.provideService(start, Turns, turns)
      yield* publish(api, "x")
      for (let i = 0; i < 20; i++) assert.deepStrictEqual(yield* sequencesOf(api, "topic=t"), [1])
      yield* reading.close
      const pages = yield* Effect.forEach(
        Array.from({ length: 16 }),
        () => Effect.forkChild(sequencesOf(api, "topic=t"))
      )
      yield* until(() => waiting === 16)
      assert.strictEqual(outcome(yield* api.request("GET", "/messages?topic=t")), refusal(503, "TOO_MANY_READERS"))
      yield* reading.open
      assert.deepStrictEqual(yield* Fiber.joinAll(pages), Array.from({ length: 16 }, () => [1]))
      assert.deepStrictEqual(yield* sequencesOf(api, "topic=t"), [1])
    }).pipe(Effect.provide(quiet)))

  it.live("requests that are not valid are refused with the reason", () =>
    Effect.gen(function*() {
      const { api } = yield* start
      yield* publish(api, "x")
      const list = (query: string) => Effect.map(api.request("GET", `/messages?${query}`), outcome)
      assert.strictEqual(yield* list(""), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(yield* list("topic=none"), refusal(404, "TOPIC_NOT_FOUND"))
      assert.strictEqual(yield* list("topic=t&channel=none"), refusal(404, "CHANNEL_NOT_FOUND"))
      const states = "must be waiting, in_flight, deferred or retained, or several with commas; or dead"
      const wrong: ReadonlyArray<readonly [name: string, value: string, rule: string]> = [
        ["state", "lost", states],
        ["state", "waiting,dead", states],
        ["limit", "0", "must be a whole number from 1 to 1000"],
        ["body_bytes", "-1", "must be a whole number from 0 to 1048576"],
        ["budget", "1e3", "must be a whole number from 1 to 30000"],
        ["from", "tomorrow", "must be beginning, end, a sequence, or a time such as 2026-11-29T08:00:00Z"],
        ["regex", "(", "must be a regular expression in the syntax of RE2"],
        ["json", "=1", "must be a path and a value, such as user.id=42"]
      ]
      for (const [name, value, rule] of wrong) {
        assert.strictEqual(
          yield* list(`topic=t&${name}=${encodeURIComponent(value)}`),
          refusal(400, `INVALID_ARG_${name.toUpperCase()}: ${rule}`)
        )
      }
      const remove = (query: string) =>
        Effect.map(api.request("DELETE", `/messages?topic=t&channel=c${query}`), outcome)
      assert.strictEqual(yield* remove(""), refusal(400, "MISSING_ARG_SEQUENCE"))
      assert.strictEqual(
        yield* remove("&sequence=one"),
        refusal(400, "INVALID_ARG_SEQUENCE: must be the number of a message")
      )
    }).pipe(Effect.provide(quiet)))
})
