import { assert, describe, it } from "@effect/vitest"
import { PolicySet } from "../../../../src/services/nsqd/policies/PolicySet.ts"

describe("PolicySet", () => {
  it("the most specific pattern decides each field", () => {
    const set = new PolicySet([
      { match: "*", max_depth: 1, ttl: "1s", publish_rate: 5 },
      { match: "orders.*", max_depth: 2 },
      { match: "orders.new", max_depth: 3 },
      { match: "orders.new*", max_depth: 4 }
    ], [])
    const depth = (topic: string) => set.ofTopic(topic).max_depth?.value
    assert.strictEqual(depth("orders.new"), 3)
    assert.strictEqual(depth("orders.newer"), 4)
    assert.strictEqual(depth("orders.old"), 2)
    assert.strictEqual(depth("payments"), 1)
    assert.deepStrictEqual(set.ofTopic("orders.new").ttl, { value: "1s", match: "*", source: "config" })
    assert.deepStrictEqual(set.list.map(({ match }) => match), ["orders.new", "orders.new*", "orders.*", "*"])
  })

  it("a pattern of channels precedes one of topics, whose limits are those of the topic", () => {
    const set = new PolicySet([
      { match: "orders.new", max_attempts: 1, max_depth: 10, on_full: "drop_oldest" },
      { match: "*/b*", max_attempts: 2, max_bytes: 20 }
    ], [])
    const source = "config"
    assert.deepStrictEqual(set.ofChannel("orders.new", "billing"), {
      max_attempts: { value: 2, match: "*/b*", source },
      max_bytes: { value: 20, match: "*/b*", source }
    })
    assert.deepStrictEqual(set.ofChannel("orders.new", "archive"), {
      max_attempts: { value: 1, match: "orders.new", source }
    })
    assert.deepStrictEqual(Object.keys(set.ofTopic("orders.new")), ["max_depth", "on_full"])
    assert.deepStrictEqual(set.ofTopic("other"), {})
  })

  it("messages that would become dead letters of their own topic without a consumer stay, or are dropped when they expire", () => {
    const limit = { max_depth: 3, on_full: "dead_letter" } as const
    const expiry = { ttl: "1s", on_expired: "dead_letter" } as const
    const set = new PolicySet([
      { match: "orders", ...limit, ...expiry, dead_letter: "dead" },
      { match: "dead", ...limit, ...expiry, dead_letter: "dead" },
      { match: "a", ...limit, dead_letter: "b" },
      { match: "b", ...expiry, dead_letter: "c" },
      { match: "c", ...limit, dead_letter: "a" },
      { match: "dead/retry", ...limit, max_attempts: 5, dead_letter: "{topic}" },
      { match: "end", ...limit, dead_letter: "dead" }
    ], [])
    const burialOf = ({ on_expired, on_full }: ReturnType<typeof set.ofTopic>) => [on_full?.value, on_expired?.value]
    assert.deepStrictEqual(burialOf(set.ofTopic("orders")), ["dead_letter", "dead_letter"])
    assert.deepStrictEqual(burialOf(set.ofTopic("dead")), [undefined, undefined])
    for (const topic of ["a", "b", "c"]) assert.deepStrictEqual(burialOf(set.ofTopic(topic)), [undefined, undefined])
    assert.deepStrictEqual(burialOf(set.ofChannel("dead", "retry")), [undefined, undefined])
    assert.strictEqual(set.ofChannel("dead", "retry").max_attempts?.value, 5)
    assert.strictEqual(set.ofTopic("dead").ttl?.value, "1s")
    // It leads into a cycle, but not back.
    assert.deepStrictEqual(burialOf(set.ofTopic("end")), ["dead_letter", undefined])
  })

  it("policies of the API precede those of the options, and later ones earlier ones", () => {
    const config = { match: "a?c", max_depth: 1, max_bytes: 1 }
    const set = new PolicySet([config], [{ match: "a?c", max_depth: 2 }, { match: "ab?", max_depth: 3 }])
    assert.deepStrictEqual(set.ofTopic("abc").max_depth, { value: 3, match: "ab?", source: "api" })
    assert.strictEqual(set.ofTopic("axc").max_depth?.value, 2)
    assert.strictEqual(set.ofTopic("axc").max_bytes?.value, 1)
  })

  it("a pattern with wildcards neither moves nor drops expired dead letters of its own, and the name of their topic does", () => {
    const set = new PolicySet([
      { match: "*", ttl: "1h", on_expired: "dead_letter" },
      { match: "payments*", ttl: "2h", on_expired: "drop" },
      { match: "orders.dlq", ttl: "3h", on_expired: "dead_letter" }
    ], [])
    const values = (topic: string) => {
      const { on_expired: onExpired, ttl } = set.ofChannel(topic, "c")
      return [ttl?.value, onExpired?.value]
    }
    assert.deepStrictEqual(values("users"), ["1h", "dead_letter"])
    assert.deepStrictEqual(values("users.dlq"), [undefined, undefined])
    assert.deepStrictEqual(values("payments.dlq"), ["2h", "drop"])
    assert.deepStrictEqual(values("orders.dlq"), ["3h", "dead_letter"])
    assert.deepStrictEqual(Object.keys(set.ofTopic("users")), ["ttl", "on_expired"])
  })

  it("a pattern with many wildcards is matched in a short time", () => {
    const set = new PolicySet([{ match: "*a".repeat(60), max_depth: 1 }], [])
    assert.deepStrictEqual(set.ofTopic(`${"a".repeat(63)}b`), {})
  })
})
