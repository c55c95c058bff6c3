import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, Logger, Schema } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { Alert } from "../../../src/protocol/http/admin/AdminAlerts.ts"
import { Alerts } from "../../../src/services/nsqadmin/Alerts.ts"
import { Mutes } from "../../../src/services/nsqadmin/Mutes.ts"
import * as Options from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { Webhooks } from "../../../src/services/nsqadmin/Webhooks.ts"
import { untilIdle } from "../../../src/testing/index.ts"
import { type FakeCluster, fakeCluster, passSamples, samplerLayer } from "./cluster.ts"

const url = "https://pager.example.com/hooks/s3cret"

/** A webhook that responds with these statuses, then with 200, and the alerts that it accepted. */
const pager = (...statuses: ReadonlyArray<number>) => {
  const received: Array<Alert> = []
  const attempts: Array<string> = []
  const client = HttpClient.make((request) =>
    Effect.gen(function*() {
      const body = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""
      const status = statuses[attempts.length] ?? 200
      attempts.push(request.url)
      if (status === 200) received.push(yield* Effect.orDie(Schema.decodeEffect(Schema.fromJsonString(Alert))(body)))
      return HttpClientResponse.fromWeb(request, new Response("", { status }))
    })
  )
  return { received, attempts, client }
}

const layer = (
  state: FakeCluster,
  { client }: ReturnType<typeof pager>,
  { alertWebhooks = [url], cluster = "", historyDir = "" } = {},
  log: Array<string> = []
) =>
  Alerts.layer(cluster).pipe(
    Layer.provide(Webhooks.layer),
    Layer.provideMerge(Mutes.layer),
    Layer.provideMerge(samplerLayer(state)),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
    Layer.provide(Options.layer({ alertWebhooks, historyDir })),
    Layer.provide(Logger.layer([Logger.make(({ message }) => void log.push(String(message)))])),
    Layer.fresh
  )

/** A topic without channels causes a warning. */
const lonely = () => fakeCluster({ a: { topics: { lonely: {} } } })

const settle = (state: FakeCluster) => (state.nodes["a"] = { topics: { lonely: { channels: { c: {} } } } })

const eventsOf = (alerts: ReadonlyArray<Alert>) => alerts.map(({ event, id }) => `${event} ${id}`)

const subject = { kind: "topic_without_channels", topic: "lonely", channel: "", node: "" } as const

describe("Alerts", () => {
  it.effect("a warning is reported once when it begins and once when it ends, with the same id", () => {
    const [state, webhook] = [lonely(), pager()]
    return Effect.gen(function*() {
      yield* passSamples(3)
      const [raised] = webhook.received
      assert.deepStrictEqual(
        { ...raised, via: "", at: 0 },
        {
          event: "raised",
          id: "topic_without_channels lonely",
          cluster: "",
          ...subject,
          text: "Topic lonely has no channels: new messages will wait for the first channel",
          detail: "",
          since: 0,
          at: 0,
          via: ""
        }
      )
      settle(state)
      yield* passSamples(2)
      assert.deepStrictEqual(eventsOf(webhook.received), [
        "raised topic_without_channels lonely",
        "cleared topic_without_channels lonely"
      ])
    }).pipe(Effect.provide(layer(state, webhook)))
  })

  it.effect("a muted warning is not reported before it is unmuted", () => {
    const [state, webhook] = [lonely(), pager()]
    return Effect.gen(function*() {
      const mutes = yield* Mutes
      yield* mutes.mute({ ...subject, minutes: 60 })
      yield* passSamples(3)
      assert.deepStrictEqual(webhook.received, [])
      yield* mutes.mute({ ...subject, minutes: 0 })
      yield* passSamples(1)
      assert.deepStrictEqual(eventsOf(webhook.received), ["raised topic_without_channels lonely"])
      yield* mutes.mute({ ...subject, minutes: 60 })
      settle(state)
      yield* passSamples(1)
      assert.deepStrictEqual(webhook.received.length, 2)
    }).pipe(Effect.provide(layer(state, webhook)))
  })

  it.effect("a request that fails is repeated with growing pauses, and one that is refused is not", () => {
    const [state, webhook, log] = [lonely(), pager(500, 429, 503, 200, 404), Array<string>()]
    return Effect.gen(function*() {
      yield* passSamples(1)
      // At once, after 1 second and after 2 more.
      assert.strictEqual(webhook.attempts.length, 3)
      yield* TestClock.adjust("2 seconds")
      yield* untilIdle
      assert.deepStrictEqual(eventsOf(webhook.received), ["raised topic_without_channels lonely"])
      settle(state)
      yield* passSamples(20)
      assert.strictEqual(webhook.attempts.length, 5)
      assert.include(
        log,
        "alert topic_without_channels lonely (cleared) not sent to https://pager.example.com/*** - got response 404"
      )
      assert.isFalse(log.some((line) => line.includes("s3cret")))
    }).pipe(Effect.provide(layer(state, webhook, {}, log)))
  })

  it.effect("after a restart nothing is raised again, and what has ended meanwhile is cleared", () =>
    Effect.gen(function*() {
      const historyDir = yield* FileSystem.FileSystem.use((files) => files.makeTempDirectoryScoped())
      const state = fakeCluster({ a: { topics: { lonely: {}, other: {} } } })
      const [first, second] = [pager(), pager()]
      yield* Effect.provide(passSamples(1), layer(state, first, { historyDir }))
      assert.strictEqual(first.received.length, 2)
      state.nodes["a"] = { topics: { lonely: {}, other: { channels: { c: {} } } } }
      yield* Effect.provide(
        Effect.gen(function*() {
          yield* passSamples(3)
          assert.deepStrictEqual(second.received, [])
          yield* passSamples(20)
          assert.deepStrictEqual(eventsOf(second.received), ["cleared topic_without_channels other"])
        }),
        layer(state, second, { historyDir })
      )
      yield* Effect.sync(() => void (settle(state)))
      const third = pager()
      yield* Effect.provide(passSamples(20), layer(state, third, { historyDir }))
      assert.deepStrictEqual(eventsOf(third.received), ["cleared topic_without_channels lonely"])
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("a test goes to each webhook at once and reports those that fail, and alerts name their cluster", () => {
    const webhook = pager(500)
    const alertWebhooks = [url, "http://127.0.0.1:1/"]
    return Effect.gen(function*() {
      const alerts = yield* Alerts
      assert.deepStrictEqual(yield* alerts.test, [
        { webhook: "https://pager.example.com/***", failure: "got response 500" },
        { webhook: "http://127.0.0.1:1", failure: undefined }
      ])
      assert.deepStrictEqual(webhook.received.map(({ cluster, event }) => [event, cluster]), [["test", "west"]])
    }).pipe(Effect.provide(layer(fakeCluster({}), webhook, { alertWebhooks, cluster: "west" })))
  })
})
