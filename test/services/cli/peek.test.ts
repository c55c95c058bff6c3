import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { daemon, daemonWith, failureOf, run } from "./cli.ts"

const peek = (...args: ReadonlyArray<string>) =>
  Effect.map(run(["peek", ...args]), ({ out }) => out.split("\n").map((line) => line.replace(/\S+Z/, "TIME")))

describe("nsq peek", () => {
  it.live("messages of a durable topic are shown, and stay in their channel", () =>
    Effect.gen(function*() {
      yield* run(["topic", "create", "orders"])
      yield* run(["channel", "create", "orders", "kitchen"])
      yield* run(["pub", "orders", "tea", "milk\nand sugar", "lemon"])
      const waiting = ["1  TIME  waiting  tea", "2  TIME  waiting  milk\\nand sugar", "3  TIME  waiting  lemon"]
      assert.deepStrictEqual(yield* peek("orders", "kitchen"), waiting)
      assert.deepStrictEqual(yield* peek("orders"), waiting)
      assert.deepStrictEqual(yield* peek("orders", "kitchen", "-n", "1", "--from", "2"), waiting.slice(1, 2))
      assert.deepStrictEqual(yield* peek("orders", "kitchen", "--contains", "lem"), waiting.slice(2))
      assert.deepStrictEqual(yield* peek("orders", "kitchen", "--state", "deferred"), ["no such messages"])
      const [json = ""] = (yield* run(["peek", "orders", "kitchen", "--json", "-n", "1"])).out.split("\n")
      const { body, nsqd, sequence } = JSON.parse(json)
      assert.deepStrictEqual([body, sequence], ["tea", 1])
      assert.match(nsqd, /^127\.0\.0\.1:\d+$/)
      assert.strictEqual((yield* run(["sub", "orders", "kitchen", "-n", "3"])).out, "tea\nmilk\nand sugar\nlemon")
      // Finished messages are shown on request.
      yield* run(["pub", "orders", "water"])
      assert.deepStrictEqual(yield* peek("orders", "kitchen"), ["4  TIME  waiting  water"])
      assert.deepStrictEqual(yield* peek("orders", "kitchen", "--state", "retained", "-n", "1"), [
        "1  TIME  retained  tea"
      ])
      assert.strictEqual((yield* peek("orders", "kitchen", "--state", "all")).length, 4)
      const [, problem] = failureOf(yield* run(["peek", "orders", "--from", "yesterday"])) ?? []
      assert.match(problem ?? "", /400 INVALID_ARG_FROM: must be beginning, end, a sequence, or a time/)
    }).pipe(Effect.provide(daemonWith({ durability: "written" }))))

  it.live("--to shows a range of the topic with whole bodies, and no more", () =>
    Effect.gen(function*() {
      const long = "x".repeat(5000)
      yield* run(["pub", "orders", "tea", long, "milk", "lemon"])
      const waiting = [`2  TIME  waiting  ${long}`, "3  TIME  waiting  milk"]
      assert.deepStrictEqual(yield* peek("orders", "--from", "2", "--to", "4"), waiting)
      assert.deepStrictEqual(yield* peek("orders", "--to", "end", "--contains", "mil"), waiting.slice(1))
      const { out } = yield* run(["peek", "orders", "--from", "3", "--to", "end", "--json"])
      assert.deepStrictEqual(out.split("\n").map((line) => JSON.parse(line).body), ["milk", "lemon"])
      assert.deepStrictEqual(failureOf(yield* run(["peek", "orders", "c", "--to", "end"])), [
        2,
        "--to shows a range of the topic: omit the channel and --state"
      ])
      const [code, message] = failureOf(yield* run(["peek", "orders", "--to", "noon"])) ?? []
      assert.strictEqual(code, 2)
      assert.include(message, "\"noon\" is not a place")
      assert.deepStrictEqual(failureOf(yield* run(["peek", "none", "--to", "end"])), [1, "topic none does not exist"])
    }).pipe(Effect.provide(daemonWith({ durability: "written" }))))

  it.live("JSON is found by a value in it, and pages follow each other", () =>
    Effect.gen(function*() {
      const bodies = Array.from({ length: 1200 }, (_, i) => JSON.stringify({ user: { id: i % 3 } }))
      yield* run(["pub", "orders"], bodies.join("\n"))
      assert.strictEqual((yield* peek("orders", "-n", "1100")).length, 1100)
      assert.strictEqual((yield* peek("orders", "-n", "5000", "--where", "user.id=2")).length, 400)
    }).pipe(Effect.provide(daemonWith({ durability: "written" }))))

  it.live("messages of a topic that is not durable are shown with their ids", () =>
    Effect.gen(function*() {
      yield* run(["pub", "orders", "tea"])
      assert.match((yield* peek("orders")).join("\n"), /^[0-9a-f]{16}  TIME  waiting  tea$/)
      yield* run(["channel", "create", "orders", "kitchen"])
      yield* run(["pub", "orders", "milk\nlemon"])
      assert.deepStrictEqual((yield* peek("orders", "kitchen", "--state", "all")).map((line) => line.slice(18)), [
        "TIME  waiting  tea",
        "TIME  waiting  milk\\nlemon"
      ])
      assert.strictEqual((yield* peek("orders", "kitchen", "-n", "1")).length, 1)
    }).pipe(Effect.provide(daemon)))

  it.live("finished messages of a topic that is not durable, and a topic that does not exist, are errors of the daemon", () =>
    Effect.gen(function*() {
      yield* run(["pub", "orders", "tea"])
      const [code, message] = failureOf(yield* run(["peek", "orders", "--state", "retained"])) ?? []
      assert.strictEqual(code, 1)
      assert.match(message ?? "", /NOT_DURABLE/)
      assert.deepStrictEqual(failureOf(yield* run(["peek", "missing"])), [1, "topic missing does not exist"])
      assert.deepStrictEqual(failureOf(yield* run(["peek", "orders", "-n", "0"])), [2, "--count must be at least 1"])
      const { exit } = yield* run(["peek", "orders", "--where", "user.id"])
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "ShowHelp")
    }).pipe(Effect.provide(daemon)))
})
