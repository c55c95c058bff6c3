import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import { daemon, failureOf, run } from "./cli.ts"

const bench = (...args: ReadonlyArray<string>) =>
  Effect.map(run(["bench", ...args, "--json"]), ({ out }) => JSON.parse(out))

const topics = Effect.flatMap(run(["topic", "list", "--json"]), ({ out }) => Effect.sync(() => JSON.parse(out)))

describe("nsq bench", () => {
  for (const mode of ["pub", "mpub", "sub", "both"]) {
    it.live(`${mode} counts every message, and leaves no topic behind`, () =>
      Effect.gen(function*() {
        const figures = yield* bench(mode, "--count", "500", "--size", "50", "--connections", "2")
        assert.deepStrictEqual([figures.mode, figures.messages, figures.size], [mode, 500, 50])
        assert.isAbove(figures.messages_per_second, 0)
        assert.deepStrictEqual(yield* topics, [])
      }).pipe(Effect.provide(daemon)))
  }

  it.live("latency publishes at the rate, and reports the times from publish to delivery", () =>
    Effect.gen(function*() {
      const { latency_ms: latency, messages, mode } = yield* bench("latency", "-n", "50", "--rate", "1000")
      assert.deepStrictEqual([mode, messages], ["latency", 50])
      assert.isAtLeast(latency.max, latency.p99)
      assert.isAtLeast(latency.p99, latency.p50)
      assert.isAbove(latency.p50, 0)
    }).pipe(Effect.provide(daemon)))

  it.live("a topic that is named is kept, and its messages with it", () =>
    Effect.gen(function*() {
      const { out } = yield* run(["bench", "mpub", "--topic", "mine", "-n", "10", "--batch", "4"])
      assert.match(
        out,
        /^mpub: 10 messages of 200 bytes in .* s\n.* messages\/s, .* MB\/s\nreply to a publish: median /
      )
      const [topic] = yield* topics
      assert.deepStrictEqual([topic.topic, topic.messages], ["mine", 10])
    }).pipe(Effect.provide(daemon)))

  it.live("numbers outside of their limits are refused", () =>
    Effect.gen(function*() {
      const refused = (...args: ReadonlyArray<string>) => Effect.map(run(["bench", ...args]), failureOf)
      assert.deepStrictEqual(yield* refused("pub", "--count", "0"), [2, "--count must be from 1 to 1000000000"])
      assert.deepStrictEqual(yield* refused("pub", "-C", "1001"), [2, "--connections must be from 1 to 1000"])
      assert.deepStrictEqual(yield* refused("mpub", "--batch", "0"), [2, "--batch must be at least 1"])
      assert.deepStrictEqual(yield* refused("latency", "--rate", "0"), [2, "--rate must be at least 1"])
    }).pipe(Effect.provide(daemon)))
})

describe("nsq node drain", () => {
  const address = Effect.map(Nsqd, ({ httpPort }) => `127.0.0.1:${httpPort}`)

  it.live("an nsqd without messages is drained at once, refuses publishes, and accepts them after --cancel", () =>
    Effect.gen(function*() {
      const node = yield* address
      const { out } = yield* run(["node", "drain", node])
      assert.strictEqual(out, `${node} has no more messages and refuses publishes; it can be stopped`)
      assert.strictEqual(failureOf(yield* run(["pub", "orders", "tea"]))?.[0], 1)
      assert.strictEqual((yield* run(["node", "drain", node, "--cancel"])).out, `${node} accepts publishes`)
      assert.strictEqual((yield* run(["pub", "orders", "tea"])).out, "1 published to orders")
    }).pipe(Effect.provide(daemon)))

  it.live("it waits until consumers have emptied the channels", () =>
    Effect.gen(function*() {
      const node = yield* address
      yield* run(["topic", "create", "orders"])
      yield* run(["channel", "create", "orders", "kitchen"])
      yield* run(["pub", "orders", "tea", "milk"])
      const [{ out }, drained] = yield* Effect.all([
        run(["sub", "orders", "kitchen", "-n", "2"]),
        run(["node", "drain", node, "--json"])
      ], { concurrency: 2 })
      assert.strictEqual(out, "tea\nmilk")
      assert.deepStrictEqual(JSON.parse(drained.out), { node, draining: true, drained: true })
    }).pipe(Effect.provide(daemon)))

  it.live("after the timeout it says what is left, with exit code 1, and the drain goes on", () =>
    Effect.gen(function*() {
      const node = yield* address
      yield* run(["pub", "orders", "tea"])
      const [code, message = ""] = failureOf(yield* run(["node", "drain", node, "--timeout", "50ms"])) ?? []
      assert.strictEqual(code, 1)
      assert.include(message, `${node} still drains: 1 messages of orders are left`)
      assert.strictEqual(failureOf(yield* run(["pub", "orders", "milk"]))?.[0], 1)
    }).pipe(Effect.provide(daemon)))
})

describe("nsq completion", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    it.live(`the completions of ${shell} have every command`, () =>
      Effect.gen(function*() {
        const { out } = yield* run(["completion", shell])
        for (const command of ["bench", "drain", "completion", "tombstone"]) assert.include(out, command)
      }).pipe(Effect.provide(daemon)))
  }
})
