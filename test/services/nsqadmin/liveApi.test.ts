/** The groups `live` and `messages` of nsqadmin's API with real nsqds, without an HTTP server of nsqadmin. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { HttpApiTest } from "effect/http-api"
import { AdminApi } from "../../../src/protocol/http/admin/AdminApi.ts"
import { DaemonHttp } from "../../../src/services/http/DaemonHttp.ts"
import * as NodeTransport from "../../../src/services/net/NodeTransport.ts"
import { AdminAccess } from "../../../src/services/nsqadmin/AdminAccess.ts"
import { Alerts } from "../../../src/services/nsqadmin/Alerts.ts"
import { History } from "../../../src/services/nsqadmin/History.ts"
import { HistoryStore } from "../../../src/services/nsqadmin/HistoryStore.ts"
import { LiveFeed } from "../../../src/services/nsqadmin/LiveFeed.ts"
import * as LiveHandlers from "../../../src/services/nsqadmin/LiveHandlers.ts"
import * as MessagesHandlers from "../../../src/services/nsqadmin/MessagesHandlers.ts"
import { Mutes } from "../../../src/services/nsqadmin/Mutes.ts"
import { Sampler } from "../../../src/services/nsqadmin/Sampler.ts"
import { TailFeed } from "../../../src/services/nsqadmin/TailFeed.ts"
import { TestMessage } from "../../../src/services/nsqadmin/TestMessage.ts"
import { Webhooks } from "../../../src/services/nsqadmin/Webhooks.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { administrator, visitor } from "./access.ts"
import { clusterOf, daemonHttp, startNsqd } from "./nsqds.ts"

const client = HttpApiTest.groups(AdminApi, ["live", "messages"])

const layer = (access: AdminAccess["Service"], ...nsqds: ReadonlyArray<string>) =>
  Layer.merge(LiveHandlers.layer, MessagesHandlers.layer).pipe(
    Layer.provide([LiveFeed.layer, TestMessage.layer, TailFeed.layer]),
    Layer.provide(Alerts.layer("")),
    Layer.provide([History.layer, Mutes.layer, Webhooks.layer]),
    Layer.provide(HistoryStore.layer),
    Layer.provide(Sampler.layer({ sampleInterval: "20 millis" })),
    Layer.provide([
      NodeTransport.layer,
      FetchHttpClient.layer,
      clusterOf(...nsqds),
      Layer.succeed(AdminAccess, access)
    ]),
    Layer.merge([NodeHttpServer.layerHttpServices, daemonHttp]),
    Layer.provideMerge(quiet)
  )

const refusal = <A, E extends { readonly _tag: string; readonly message: string }, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(call), ({ _tag, message }) => [_tag, message])

/** Collects the values of a stream in a queue. */
const queued = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<A>()
    yield* Effect.forkScoped(Stream.runForEach(stream, (value) => Queue.offer(queue, value)))
    return queue
  })

const text = { body: "hello", encoding: "text" } as const

describe("nsqadmin's API", () => {
  it.live("a published message appears in the tail, the live samples and the history", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      yield* Effect.gen(function*() {
        const { live, messages } = yield* client
        yield* DaemonHttp.use((daemons) => daemons.post(http, "/topic/create?topic=t"))
        const events = yield* queued(yield* messages.tail({ params: { topic: "t" }, query: {} }))
        assert.strictEqual((yield* Queue.take(events))._tag, "Tailing")
        assert.deepStrictEqual(yield* messages.publish({ params: { topic: "t" }, payload: text }), { message: "" })
        assert.deepInclude(yield* Queue.take(events), { _tag: "Message", body: "aGVsbG8=", size: 5 })

        const samples = yield* queued(yield* live.samples({ query: { topic: "t" } }))
        const first = yield* Queue.take(samples)
        assert.isTrue(first.full)
        yield* messages.publish({ params: { topic: "t" }, payload: text })
        while (true) {
          const { full, topics } = yield* Queue.take(samples)
          assert.isFalse(full)
          if (topics[0]?.message_count === 2) break
        }
        const { series, times } = yield* live.history({ query: { topics: "t", detail: "true" } })
        assert.deepStrictEqual(series[0]?.backlog.length, times.length)
        assert.include(series.map(({ node }) => node), http)
      }).pipe(Effect.provide(layer(administrator, http)))
    }))

  it.live("only administrators may publish and tail messages", () =>
    Effect.gen(function*() {
      const { messages } = yield* client
      const forbidden = ["Forbidden", "FORBIDDEN"]
      assert.deepStrictEqual(yield* refusal(messages.publish({ params: { topic: "t" }, payload: text })), forbidden)
      assert.deepStrictEqual(yield* refusal(messages.tail({ params: { topic: "<t>" }, query: {} })), forbidden)
    }).pipe(Effect.provide(layer(visitor, "127.0.0.1:2"))))

  it.live("invalid requests are refused", () =>
    Effect.gen(function*() {
      const { live, messages } = yield* client
      const bad = (message: string) => ["BadRequest", message]
      assert.deepStrictEqual(
        yield* refusal(messages.publish({ params: { topic: "a b" }, payload: text })),
        bad("INVALID_TOPIC")
      )
      assert.deepStrictEqual(
        yield* refusal(messages.tail({ params: { topic: "t" }, query: { sample: 0 } })),
        bad("INVALID_SAMPLE")
      )
      assert.deepStrictEqual(yield* refusal(live.history({ query: { topics: "a b" } })), bad("INVALID_TOPIC"))
      const many = Array.from({ length: 201 }, (_, i) => `t${i}`).join(",")
      assert.deepStrictEqual(yield* refusal(live.history({ query: { topics: many } })), bad("TOO_MANY_TOPICS"))
      assert.deepStrictEqual(yield* live.history({ query: { topics: "" } }), { times: [], series: [] })
    }).pipe(Effect.provide(layer(administrator, "127.0.0.1:2"))))
})
