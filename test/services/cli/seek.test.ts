import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { daemon, daemonWith, failureOf, run } from "./cli.ts"

describe("nsq seek", () => {
  it.live("a channel is moved after its confirmation, which states the messages that come", () =>
    Effect.gen(function*() {
      yield* run(["topic", "create", "orders"])
      yield* run(["channel", "create", "orders", "kitchen"])
      yield* run(["pub", "orders", "tea", "milk", "lemon"])
      assert.deepStrictEqual(failureOf(yield* run(["seek", "orders", "kitchen", "2"])), [
        3,
        "orders/kitchen gets 2 messages from 2 on, and forgets those in flight; give --yes to confirm"
      ])
      const { out } = yield* run(["seek", "orders", "kitchen", "2", "--yes", "--json"])
      const [moved] = JSON.parse(out)
      assert.deepStrictEqual([moved.sequence, moved.messages], [2, 2])
      assert.strictEqual((yield* run(["sub", "orders", "kitchen", "-n", "2"])).out, "milk\nlemon")
      assert.match((yield* run(["seek", "orders", "kitchen", "end", "-y"])).out, /^NSQD.*SEQUENCE.*MESSAGES/)
    }).pipe(Effect.provide(daemonWith({ durability: "written" }))))

  it.live("a wrong place, a missing channel and a topic without a log are errors", () =>
    Effect.gen(function*() {
      yield* run(["topic", "create", "orders"])
      assert.deepStrictEqual(failureOf(yield* run(["seek", "orders", "kitchen", "end", "-y"])), [
        1,
        "channel orders/kitchen does not exist"
      ])
      assert.strictEqual(failureOf(yield* run(["seek", "orders", "kitchen", "yesterday"]))?.[0], 2)
      yield* run(["channel", "create", "orders", "kitchen"])
      assert.match(failureOf(yield* run(["seek", "orders", "kitchen", "end", "-y"]))?.[1] ?? "", /NOT_DURABLE/)
    }).pipe(Effect.provide(daemon)))
})
