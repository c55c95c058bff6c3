import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as StatsResponse from "../../../src/protocol/http/StatsResponse.ts"
import { DaemonHttp } from "../../../src/services/http/DaemonHttp.ts"
import { TestMessage } from "../../../src/services/nsqadmin/TestMessage.ts"
import { until } from "../../../src/testing/index.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { clusterOf, startNsqd } from "./nsqds.ts"

const layer = (...nsqds: ReadonlyArray<string>) =>
  TestMessage.layer.pipe(Layer.provideMerge(clusterOf(...nsqds)), Layer.provideMerge(quiet))

const publish = (topic: string, message: Parameters<TestMessage["Service"]["publish"]>[1]) =>
  TestMessage.use((messages) => messages.publish(topic, message))

const post = (address: string, path: string) => DaemonHttp.use((daemons) => daemons.post(address, path))

/** The message count of the topic on that nsqd. */
const count = Effect.fnUntraced(function*(address: string, topic: string) {
  const { topics } = yield* DaemonHttp.use((daemons) =>
    daemons.get(StatsResponse.Stats, address, `/stats?format=json&topic=${topic}`)
  )
  return topics?.[0]?.message_count
})

describe("TestMessage", () => {
  it.live("a test message goes to an nsqd that has the topic, or to any nsqd if none has it", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([startNsqd(), startNsqd()])
      yield* Effect.gen(function*() {
        yield* post(b.http, "/topic/create?topic=t")
        assert.deepStrictEqual(yield* publish("t", { body: "hello", encoding: "text" }), { message: "" })
        assert.deepStrictEqual([yield* count(a.http, "t"), yield* count(b.http, "t")], [undefined, 1])
        yield* publish("new", { body: "AP8=", encoding: "base64" })
        assert.strictEqual(yield* count(a.http, "new"), 1)
      }).pipe(Effect.provide(layer(a.http, b.http)))
    }))

  it.live("a test message goes to the given nsqd if it is one of the cluster", () =>
    Effect.gen(function*() {
      const [a, b, stranger] = yield* Effect.all([startNsqd(), startNsqd(), startNsqd()])
      yield* Effect.gen(function*() {
        yield* post(a.http, "/topic/create?topic=t")
        yield* publish("t", { body: "x", encoding: "text", node: b.http })
        assert.deepStrictEqual([yield* count(a.http, "t"), yield* count(b.http, "t")], [0, 1])
        const refused = yield* Effect.flip(publish("t", { body: "x", encoding: "text", node: stranger.http }))
        assert.deepInclude(refused, { _tag: "BadRequest", message: "INVALID_NODE" })
      }).pipe(Effect.provide(layer(a.http, b.http)))
    }))

  it.live("a deferred test message is delivered after its delay", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      yield* Effect.gen(function*() {
        yield* post(http, "/topic/create?topic=t")
        yield* post(http, "/channel/create?topic=t&channel=c")
        yield* publish("t", { body: "x", encoding: "text", defer: 60_000 })
        const deferred = DaemonHttp.use((daemons) =>
          daemons.get(StatsResponse.Stats, http, "/stats?format=json&topic=t")
        ).pipe(Effect.map(({ topics }) => topics?.[0]?.channels?.[0]?.deferred_count))
        yield* until(Effect.map(deferred, (count) => count === 1), "the message is deferred")
      }).pipe(Effect.provide(layer(http)))
    }))

  it.live("a test message goes to another nsqd, with a warning, if one fails", () =>
    Effect.gen(function*() {
      const [a, b] = yield* Effect.all([startNsqd({ maxMsgSize: 10 }), startNsqd()])
      yield* Effect.gen(function*() {
        for (const { http } of [a, b]) yield* post(http, "/topic/create?topic=t")
        const { message } = yield* publish("t", { body: "more than ten bytes", encoding: "text" })
        assert.match(message, /^WARNING: got response 413 .*MSG_TOO_BIG/)
        assert.deepStrictEqual([yield* count(a.http, "t"), yield* count(b.http, "t")], [0, 1])
        const failed = yield* Effect.flip(publish("t", { body: "more than ten bytes", encoding: "text", node: a.http }))
        assert.match(failed.message, /^UPSTREAM_ERROR: got response 413 /)
      }).pipe(Effect.provide(layer(a.http, b.http)))
    }))

  it.live("an invalid test message is refused", () =>
    Effect.gen(function*() {
      const refusal = (topic: string, message: Parameters<typeof publish>[1]) =>
        Effect.map(Effect.flip(publish(topic, message)), ({ _tag, message }) => [_tag, message])
      const text = { body: "x", encoding: "text" } as const
      const expect = (message: string) => ["BadRequest", message]
      assert.deepStrictEqual(yield* refusal("a b", text), expect("INVALID_TOPIC"))
      assert.deepStrictEqual(yield* refusal("t", { ...text, defer: -1 }), expect("INVALID_DEFER"))
      assert.deepStrictEqual(yield* refusal("t", { ...text, defer: 1.5 }), expect("INVALID_DEFER"))
      assert.deepStrictEqual(yield* refusal("t", { body: "%%%%", encoding: "base64" }), expect("INVALID_BODY"))
      assert.deepStrictEqual(yield* refusal("t", { ...text, body: "" }), expect("MSG_EMPTY"))
      const large = { ...text, body: "x".repeat(1024 * 1024 + 1) }
      assert.deepStrictEqual(yield* refusal("t", large), expect("MSG_TOO_BIG"))
    }).pipe(Effect.provide(layer())))

  it.live("publishing a test message fails if no nsqd responds", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(publish("t", { body: "x", encoding: "text" }))
      assert.deepInclude(failure, { _tag: "UpstreamError" })
      assert.match(failure.message, /^UPSTREAM_ERROR: failed to query any nsqd: /)
    }).pipe(Effect.provide(layer("127.0.0.1:2"))))
})
