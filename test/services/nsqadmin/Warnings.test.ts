import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { unreachable } from "../http/httpErrors.ts"
import { type FakeCluster, fakeCluster, latest, passSamples, samplerLayer } from "./cluster.ts"

const warnings = Effect.map(latest, (sample) => sample.warnings)

/** Kind and text of each warning. */
const listed = Effect.map(warnings, (found) => found.map(({ kind, text }) => [kind, text]))

const kinds = Effect.map(warnings, (found) => found.map(({ kind }) => kind))

const withCluster = (state: FakeCluster) => Effect.provide(samplerLayer(state))

describe("Warnings", () => {
  it.effect("a healthy cluster has no warnings", () =>
    Effect.gen(function*() {
      yield* passSamples(10)
      assert.deepStrictEqual(yield* warnings, [])
    }).pipe(withCluster(fakeCluster({
      a: { topics: { t: { depth: 0, channels: { c: { depth: 3 }, d: { depth: 5, client_count: 1 } } } } }
    }))))

  it.effect("a topic without channels causes a warning, also on a single nsqd", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listed, [
        ["topic_without_channels", "Topic t has no channels: 1,234 messages wait for the first channel."],
        ["topic_without_channels", "Topic u has no channels: new messages will wait for the first channel."],
        ["topic_without_channels", "Topic v has no channels on b:4151: 1 message waits there."]
      ])
      assert.deepStrictEqual((yield* warnings).map(({ node, topic }) => [topic, node]), [
        ["t", ""],
        ["u", ""],
        ["v", "b:4151"]
      ])
    }).pipe(withCluster(fakeCluster({
      a: { topics: { t: { depth: 1000 }, u: {}, v: { channels: { c: {} } } } },
      b: { topics: { t: { depth: 234 }, v: { depth: 1 } } }
    }))))

  it.effect("a topic that no nsqd has causes a warning, a topic of an unresponsive nsqd does not", () => {
    const state = fakeCluster({ a: { topics: { t: { channels: { c: {} } } } }, b: { topics: {} } })
    state.topics.push("forgotten")
    return Effect.gen(function*() {
      const text = "Topic forgotten has no producers: it is registered with nsqlookupd, but no nsqd has it."
      assert.deepStrictEqual(yield* listed, [["topic_without_producers", text]])
      const { figures } = yield* latest
      assert.deepStrictEqual([...figures.topics.keys()], ["t", "forgotten"])
      assert.strictEqual(figures.topics.get("forgotten")?.summary.depth, 0)
    }).pipe(withCluster(state))
  })

  it.effect("a paused topic or channel causes a warning that states where it is paused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listed, [
        ["paused_topic", "Topic t is paused on 1 of 2 nsqds: 7 messages wait."],
        ["paused_channel", "Channel c of topic t is paused: 3 messages wait."]
      ])
    }).pipe(withCluster(fakeCluster({
      a: { topics: { t: { depth: 7, paused: true, channels: { c: { depth: 1, paused: true } } } } },
      b: { topics: { t: { channels: { c: { depth: 2, paused: true } } } } }
    }))))

  it.effect("a warning keeps the time of its start and ends with its cause", () => {
    const t = { paused: true, channels: { c: {} } }
    return Effect.gen(function*() {
      yield* passSamples(1)
      const [first] = yield* warnings
      yield* passSamples(3)
      assert.deepStrictEqual(yield* warnings, first === undefined ? [] : [first])
      t.paused = false
      yield* passSamples(1)
      assert.deepStrictEqual(yield* warnings, [])
      t.paused = true
      yield* passSamples(1)
      assert.deepStrictEqual((yield* warnings).map(({ since }) => since - (first?.since ?? 0)), [30_000])
    }).pipe(withCluster(fakeCluster({ a: { topics: { t } } })))
  })

  it.effect("a channel without clients causes a warning when it has grown for half a minute, until a client connects", () => {
    const c = { depth: 0, client_count: 0 }
    const grow = Effect.suspend(() => {
      c.depth += 2
      return passSamples(1)
    })
    return Effect.gen(function*() {
      yield* latest
      for (let i = 0; i < 5; i++) yield* grow
      assert.deepStrictEqual(yield* warnings, [])
      yield* grow
      assert.deepStrictEqual(yield* listed, [
        [
          "unconsumed_channel",
          "Channel c of topic t has no consumers: 12 messages wait, 12 more than before."
        ]
      ])
      // The warning remains while the depth stays the same.
      yield* passSamples(10)
      assert.deepStrictEqual(yield* kinds, ["unconsumed_channel"])
      c.client_count = 1
      yield* passSamples(1)
      assert.deepStrictEqual(yield* warnings, [])
    }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c } } } } })))
  })

  it.effect("the return of an nsqd does not count as growth of its channels", () => {
    const b = { topics: { t: { channels: { c: { depth: 100 } } } }, fails: "connection refused" }
    return Effect.gen(function*() {
      yield* passSamples(10)
      b.fails = ""
      yield* passSamples(10)
      assert.deepStrictEqual(yield* warnings, [])
    }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c: { depth: 5 } } } } }, b })))
  })

  it.effect("unreachable daemons, degraded daemons and different versions cause warnings", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listed, [
        ["daemon_unhealthy", "nsqd b:4151 is degraded: NOK - no space left on device"],
        ["daemon_gone", `nsqd c:4151 is unreachable: ${unreachable("c:4151").message}`],
        ["versions_differ", "nsqd versions differ: 1.2.1 on b:4151; 1.3.0 on a:4151."]
      ])
    }).pipe(withCluster(fakeCluster({
      a: { topics: {} },
      b: { topics: {}, version: "1.2.1", health: "NOK - no space left on device" },
      c: { topics: {}, version: "1.1.0", fails: "connection refused" }
    }))))

  it.effect("a hundred warnings of a kind are listed, and one more states the number of the others", () => {
    const topics = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`t${i}`, {}]))
    return Effect.gen(function*() {
      const found = yield* warnings
      assert.strictEqual(found.length, 101)
      assert.deepInclude(found.at(-1), { topic: "", text: "150 more warnings of this kind." })
    }).pipe(withCluster(fakeCluster({ a: { topics } })))
  })
})
