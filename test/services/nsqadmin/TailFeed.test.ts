import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import type { TailEvent } from "../../../src/protocol/http/admin/AdminLive.ts"
import * as StatsResponse from "../../../src/protocol/http/StatsResponse.ts"
import { DaemonHttp } from "../../../src/services/http/DaemonHttp.ts"
import * as NodeTransport from "../../../src/services/net/NodeTransport.ts"
import { TailFeed } from "../../../src/services/nsqadmin/TailFeed.ts"
import { until } from "../../../src/testing/index.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { clusterOf, startNsqd } from "./nsqds.ts"

const layer = (...nsqds: ReadonlyArray<string>) =>
  TailFeed.layer.pipe(
    Layer.provide([NodeTransport.layer, FetchHttpClient.layer]),
    Layer.provideMerge(clusterOf(...nsqds)),
    Layer.provideMerge(quiet)
  )

const post = (address: string, path: string, body = "") =>
  DaemonHttp.use((daemons) => daemons.post(address, path, Buffer.from(body)))

/** The channels of a topic, with the sample rates of their clients. */
const channels = Effect.fnUntraced(function*(address: string, topic: string) {
  const daemons = yield* DaemonHttp
  const { topics } = yield* daemons.get(StatsResponse.Stats, address, `/stats?format=json&topic=${topic}`)
  return (topics?.[0]?.channels ?? []).map(({ channel_name, clients }) => ({
    name: channel_name,
    sampleRates: clients?.map(({ sample_rate }) => sample_rate)
  }))
})

/** Starts a tail and returns its events, and an effect that ends it. */
const follow = Effect.fnUntraced(function*(topic: string, samplePercent = 100) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const feed = yield* TailFeed
  const events = yield* Queue.unbounded<TailEvent>()
  const stream = yield* Scope.provide(feed.tail(topic, samplePercent), scope)
  yield* Effect.forkIn(Stream.runForEach(stream, (event) => Queue.offer(events, event)), scope)
  const next = Effect.map(Queue.take(events), (event) => {
    assert.strictEqual(event._tag, "Message")
    return event._tag === "Message" ? { node: event.node, body: Buffer.from(event.body, "base64").toString() } : event
  })
  return { events, next, end: Scope.close(scope, Exit.void) }
})

const begun = Effect.fnUntraced(function*(events: Queue.Queue<TailEvent>) {
  const event = yield* Queue.take(events)
  if (event._tag !== "Tailing") return assert.fail(event._tag)
  return event
})

describe("TailFeed", () => {
  it.live("a tail receives the messages of every nsqd with the topic, and its channel is deleted when it ends", () =>
    Effect.gen(function*() {
      const [a, b, other] = yield* Effect.all([startNsqd(), startNsqd(), startNsqd()])
      yield* Effect.gen(function*() {
        for (const { http } of [a, b]) yield* post(http, "/topic/create?topic=t")
        const { end, events, next } = yield* follow("t")
        const { channel, nodes } = yield* begun(events)
        assert.match(channel, /^nsqadmin_[0-9a-f]{8}#ephemeral$/)
        assert.deepStrictEqual(nodes, [a.tcp, b.tcp].sort())
        yield* post(a.http, "/pub?topic=t", "one")
        assert.deepStrictEqual(yield* next, { node: a.tcp, body: "one" })
        yield* post(b.http, "/pub?topic=t", "two")
        assert.deepStrictEqual(yield* next, { node: b.tcp, body: "two" })
        assert.deepStrictEqual(yield* channels(a.http, "t"), [{ name: channel, sampleRates: [0] }])
        yield* end
        for (const { http } of [a, b]) {
          yield* until(
            Effect.map(channels(http, "t"), (found) => found.length === 0),
            `${http} has no channel of the tail`
          )
        }
        assert.deepStrictEqual(yield* channels(other.http, "t"), [])
      }).pipe(Effect.provide(layer(a.http, b.http, other.http)))
    }))

  it.live("a tail with a percentage negotiates it as sample rate", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      yield* Effect.gen(function*() {
        yield* post(http, "/topic/create?topic=t")
        const { events } = yield* follow("t", 25)
        const { channel } = yield* begun(events)
        assert.deepStrictEqual(yield* channels(http, "t"), [{ name: channel, sampleRates: [25] }])
      }).pipe(Effect.provide(layer(http)))
    }))

  it.live("a tail finishes the messages that it skips, and counts them", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      yield* Effect.gen(function*() {
        yield* post(http, "/topic/create?topic=t")
        const { events } = yield* follow("t")
        yield* begun(events)
        yield* post(http, "/mpub?topic=t", Array.from({ length: 1000 }, (_, i) => `m${i}`).join("\n"))
        let [shown, skipped] = [0, 0]
        while (shown + skipped < 1000) {
          const event = yield* Queue.take(events)
          if (event._tag === "Message") shown++
          if (event._tag === "Skipped") skipped += event.count
        }
        assert.isAtLeast(shown, 100)
        assert.isAbove(skipped, 0)
      }).pipe(Effect.provide(layer(http)))
    }))

  it.live("a tail with an invalid topic name or percentage, or of an unknown topic, is refused", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      const feed = yield* TailFeed.pipe(Effect.provide(layer(http)))
      const refusal = (topic: string, sample: number) =>
        Effect.map(Effect.flip(feed.tail(topic, sample)), ({ _tag, message }) => [_tag, message])
      assert.deepStrictEqual(yield* refusal("<script>", 100), ["BadRequest", "INVALID_TOPIC"])
      for (const sample of [0, 101, 0.5, NaN]) {
        assert.deepStrictEqual(yield* refusal("t", sample), ["BadRequest", "INVALID_SAMPLE"])
      }
      assert.deepStrictEqual(yield* refusal("t", 100), ["UpstreamError", "UPSTREAM_ERROR: no nsqd has the topic"])
    }))

  it.live("a tail is refused while messages wait for the first channel of the topic", () =>
    Effect.gen(function*() {
      const { http, tcp } = yield* startNsqd()
      yield* Effect.gen(function*() {
        yield* post(http, "/mpub?topic=t", "one\ntwo")
        const { message } = yield* Effect.flip(TailFeed.use((feed) => feed.tail("t", 100)))
        const reason = `2 messages wait for the first channel of t (on ${http}) and a tail would consume them`
        assert.strictEqual(message, `MESSAGES_WAIT: ${reason}; create a channel first`)
        assert.deepStrictEqual(yield* channels(http, "t"), [])
        yield* post(http, "/channel/create?topic=t&channel=c")
        const { events, next } = yield* follow("t")
        yield* begun(events)
        yield* post(http, "/pub?topic=t", "three")
        assert.deepStrictEqual(yield* next, { node: tcp, body: "three" })
      }).pipe(Effect.provide(layer(http)))
    }))

  it.live("a tail that every nsqd refuses fails with their errors", () =>
    Effect.gen(function*() {
      const { http, tcp } = yield* startNsqd({ authHttpAddresses: ["127.0.0.1:1"] })
      yield* Effect.gen(function*() {
        yield* post(http, "/topic/create?topic=t")
        const { message } = yield* Effect.flip(TailFeed.use((feed) => feed.tail("t", 100)))
        assert.strictEqual(message, `UPSTREAM_ERROR: ${tcp}: Auth Required`)
      }).pipe(Effect.provide(layer(http)))
    }))

  it.live("a tail beyond the limit of 20 is refused until another one ends", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      yield* Effect.gen(function*() {
        yield* post(http, "/topic/create?topic=t")
        const tails = yield* Effect.forEach(Array.from({ length: 20 }), () => follow("t"))
        const refused = Effect.flip(TailFeed.use((feed) => feed.tail("t", 100)))
        assert.strictEqual(
          (yield* refused).message,
          "TOO_MANY_TAILS: the limit is 20; raise --max-tails"
        )
        yield* tails[0]?.end ?? Effect.void
        const { events } = yield* follow("t")
        yield* begun(events)
      }).pipe(Effect.provide(layer(http)))
    }))
})
