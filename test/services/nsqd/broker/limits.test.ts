import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import { Broker, Storage } from "../../../../src/broker.ts"
import { ChannelName } from "../../../../src/protocol/client/Names.ts"
import { ChannelDirectory } from "../../../../src/services/nsqd/broker/ChannelDirectory.ts"
import { ProtocolClient, TestBroker, until } from "../../../../src/testing/index.ts"
import { outcome, refusal, serve } from "../http/api.ts"
import { brokerWith, channelOf, join, numbers, quiet, send, topicOf } from "./testing.ts"

const tooManyTopics = "there are 2 topics already (--max-topics)"
const tooManyChannels = "topic t has 2 channels already (--max-channels-per-topic)"

describe("with --max-topics", () => {
  it.effect("a topic above the limit is not created by any command, and the others continue", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      yield* send("a", "1")
      yield* topicOf("b#ephemeral")
      assert.strictEqual((yield* Effect.flip(send("c", "1"))).message, tooManyTopics)
      assert.strictEqual((yield* Effect.flip(topicOf("c#ephemeral"))).message, tooManyTopics)
      assert.strictEqual((yield* Effect.flip(channelOf("c", "x"))).message, tooManyTopics)
      assert.strictEqual((yield* Effect.flip(join("c", "x", 1))).message, tooManyTopics)
      assert.deepStrictEqual(broker.topics().map(({ name }) => name), ["a", "b#ephemeral"])
      yield* send("a", "2")
      yield* join("b#ephemeral", "x", 1)
      assert.strictEqual(broker.findTopic("a")?.messageCount, 2)
    }).pipe(Effect.provide(brokerWith({ maxTopics: 2 }))))

  it.effect("of concurrent creations only as many succeed as the limit allows", () =>
    Effect.gen(function*() {
      const results = yield* Effect.forEach(numbers(10), (name) => Effect.exit(topicOf(name)), {
        concurrency: "unbounded"
      })
      assert.lengthOf(results.filter(Exit.isSuccess), 2)
    }).pipe(Effect.provide(brokerWith({ maxTopics: 2 }))))

  it.effect("a deleted topic makes room, and each time the limit is reached one line is logged", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        for (const name of ["a", "b", "c", "c"]) yield* Effect.exit(topicOf(name))
        yield* broker.deleteTopic("a")
        for (const name of ["d", "e", "f"]) yield* Effect.exit(topicOf(name))
        assert.deepStrictEqual(broker.topics().map(({ name }) => name), ["b", "d"])
      }).pipe(Effect.provide(TestBroker.layer({ maxTopics: 2 }).pipe(Layer.provideMerge(logger))))
      assert.lengthOf(lines.filter((line) => line === `NSQ: ${tooManyTopics}, refusing more`), 2)
    }))
})

describe("with --max-channels-per-topic", () => {
  it.effect("a channel above the limit is not created, and other topics have their own limit", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      yield* channelOf("t", "a")
      yield* join("t", "b#ephemeral", 1)
      assert.strictEqual((yield* Effect.flip(channelOf("t", "c"))).message, tooManyChannels)
      assert.strictEqual((yield* Effect.flip(join("t", "c#ephemeral", 1))).message, tooManyChannels)
      yield* join("t", "a", 1)
      yield* channelOf("u", "c")
      yield* broker.deleteChannel("t", ChannelName.make("a"))
      yield* channelOf("t", "c")
      assert.deepStrictEqual(broker.findTopic("t")?.channels.map(({ name }) => name), ["b#ephemeral", "c"])
    }).pipe(Effect.provide(brokerWith({ maxChannelsPerTopic: 2 }))))

  it.effect("a new topic gets channels of nsqlookupd only up to the limit", () =>
    Effect.gen(function*() {
      const topic = yield* topicOf("t")
      assert.deepStrictEqual(topic.channels.map(({ name }) => name), ["m0", "m1"])
      yield* send("t", "1")
      assert.strictEqual(topic.messageCount, 1)
    }).pipe(
      Effect.provide(brokerWith({ maxChannelsPerTopic: 2 })),
      Effect.provideService(ChannelDirectory, {
        channelsOf: () => Effect.succeed(numbers(5).map((name) => ChannelName.make(name)))
      })
    ))
})

describe("limits of topics and channels", () => {
  it.effect("a limit of 0 means no limit", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(numbers(100), (name) => channelOf(name, "c"))
      yield* Effect.forEach(numbers(100), (name) => channelOf("m0", name))
    }).pipe(Effect.provide(brokerWith({ maxTopics: 0, maxChannelsPerTopic: 0 }))))

  it.effect("limits do not apply to topics and channels of the data directory", () =>
    Effect.gen(function*() {
      const storage = Context.get(yield* Layer.build(Storage.layerMemory), Storage)
      const start = Effect.fnUntraced(function*(limit: number) {
        const scope = yield* Scope.make()
        const layer = Layer.fresh(TestBroker.layerNoStorage({ maxTopics: limit, maxChannelsPerTopic: limit }))
          .pipe(Layer.provide(Layer.succeed(Storage, storage)), Layer.provide(quiet))
        return { context: yield* Scope.provide(Layer.build(layer), scope), stop: Scope.close(scope, Exit.void) }
      })
      const first = yield* start(0)
      yield* Effect.forEach(numbers(5), (topic) => Effect.forEach(numbers(5), (name) => channelOf(topic, name)))
        .pipe(Effect.provideContext(first.context))
      yield* send("m3", "kept").pipe(Effect.provideContext(first.context))
      yield* first.stop
      const second = yield* start(2)
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        assert.deepStrictEqual(broker.topics().map(({ channels }) => channels.length), [5, 5, 5, 5, 5])
        yield* until(() => broker.findTopic("m3")?.channel("m4")?.depth === 1)
        yield* send("m3", "more")
        assert.include((yield* Effect.flip(send("new", "1"))).message, "--max-topics")
        assert.include((yield* Effect.flip(channelOf("m3", "new"))).message, "--max-channels-per-topic")
      }).pipe(Effect.provideContext(second.context))
      yield* second.stop
      const third = yield* start(2)
      assert.lengthOf(Context.get(third.context, Broker).topics(), 5)
      yield* third.stop
    }))

  it.effect("protocol errors name the limit", () =>
    Effect.gen(function*() {
      yield* channelOf("t", "a")
      yield* channelOf("t", "b")
      yield* topicOf("u")
      const connect = ProtocolClient.connect(TestBroker.address)
      const refused = Effect.fnUntraced(function*(bytes: string | Buffer) {
        const client = yield* connect
        yield* client.raw(bytes)
        const text = yield* client.text
        assert.isUndefined(yield* client.text)
        return text
      })
      assert.strictEqual(yield* refused("PUB c\n\0\0\0\u0001x"), `E_PUB_FAILED PUB failed ${tooManyTopics}`)
      assert.strictEqual(yield* refused("DPUB c 1\n\0\0\0\u0001x"), `E_DPUB_FAILED DPUB failed ${tooManyTopics}`)
      assert.strictEqual(
        yield* refused("MPUB c\n\0\0\0\u0009\0\0\0\u0001\0\0\0\u0001x"),
        `E_MPUB_FAILED MPUB failed ${tooManyTopics}`
      )
      assert.strictEqual(yield* refused("SUB c d\n"), `E_SUB_FAILED SUB failed ${tooManyTopics}`)
      assert.strictEqual(yield* refused("SUB t c\n"), `E_SUB_FAILED SUB failed ${tooManyChannels}`)
      const client = yield* connect
      yield* client.raw("PUB t\n\0\0\0\u0001xSUB t a\n")
      assert.deepStrictEqual([yield* client.text, yield* client.text], ["OK", "OK"])
    }).pipe(Effect.provide(brokerWith({ maxTopics: 2, maxChannelsPerTopic: 2 }))))

  it.live("responses of the HTTP API name the limit", () =>
    Effect.gen(function*() {
      const { broker, raw, request } = yield* serve({ maxTopics: 2, maxChannelsPerTopic: 2 })
      const post = (path: string, body = "") => Effect.map(request("POST", path, body), outcome)
      for (const path of ["/topic/create?topic=t", "/pub?topic=u", "/channel/create?topic=t&channel=a"]) {
        assert.match(yield* post(path, "x"), /^200/)
      }
      yield* post("/channel/create?topic=t&channel=b")
      const topics = refusal(403, `TOO_MANY_TOPICS: ${tooManyTopics}`)
      for (
        const path of [
          "/topic/create?topic=c",
          "/pub?topic=c",
          "/mpub?topic=c",
          "/put?topic=c",
          "/create_topic?topic=c"
        ]
      ) {
        assert.strictEqual(yield* post(path, "x"), topics, path)
      }
      const quick = yield* raw("POST /pub?topic=c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
      assert.match(quick, /^HTTP\/1\.1 403 Forbidden\r\n[^]*--max-topics/)
      const channels = refusal(403, `TOO_MANY_CHANNELS: ${tooManyChannels}`)
      assert.strictEqual(yield* post("/channel/create?topic=t&channel=c"), channels)
      assert.match(yield* post("/channel/create?topic=t&channel=a"), /^200/)
      assert.match(yield* post("/topic/create?topic=t"), /^200/)
      assert.match(yield* post("/pub?topic=u", "x"), /^200/)
      assert.deepStrictEqual(broker.topics().map(({ name }) => name), ["t", "u"])
    }))
})
