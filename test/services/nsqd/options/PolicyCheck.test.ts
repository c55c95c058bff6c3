import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as PolicyCheck from "../../../../src/services/nsqd/options/PolicyCheck.ts"
import * as PolicyKind from "../../../../src/services/nsqd/options/PolicyKind.ts"

const problem = (value: unknown): string => {
  const checked = PolicyCheck.check(value)
  return Result.isFailure(checked) ? `${checked.failure.field}: ${checked.failure.why}` : "valid"
}

const policyOf = (text: string) => Result.getOrThrow(PolicyCheck.fromText(text))

describe("PolicyCheck", () => {
  it("a policy that is not valid is refused with the field and the reason", () => {
    const whole = "must be a whole number from 0 on; 0 for none"
    assert.strictEqual(problem({ match: "a", max_depth: -1 }), `max_depth: ${whole}`)
    assert.strictEqual(problem({ match: "a", max_bytes: 1.5 }), `max_bytes: ${whole}`)
    assert.strictEqual(problem({ match: "a", max_attempts: 65_536 }), "max_attempts: must be at most 65535")
    assert.strictEqual(problem({ match: "a", ttl: 30 }), "ttl: must be a duration such as \"30s\" or \"24h\"")
    assert.strictEqual(problem({ match: "a", ttl: "1us" }), "ttl: must be 0 or at least 1ms")
    assert.strictEqual(
      problem({ match: "a", on_full: "drop" }),
      "on_full: must be one of reject, drop_oldest, dead_letter"
    )
    assert.strictEqual(problem({ match: "a", on_expired: "keep" }), "on_expired: must be one of drop, dead_letter")
    assert.include(problem({ match: "a", dead_letter: "{queue}" }), "dead_letter: must be the name of a topic")
    assert.strictEqual(problem({ match: "a", count_disconnects: 1 }), "count_disconnects: must be true or false")
    assert.include(
      problem({ match: "a", client_publish_rate: "5" }),
      "client_publish_rate: must be a number of messages"
    )
    assert.include(problem({ match: "a", max_dept: 1 }), "max_dept: unknown field; the fields are ttl, on_expired, ")
    assert.strictEqual(
      problem({ match: "a/b", publish_rate: 1 }),
      "publish_rate: is a field of topics, and \"a/b\" is a pattern of channels"
    )
    assert.include(problem({ match: "a/b/c", ttl: "1s" }), "match: must be a pattern")
    assert.include(problem({ match: "two words", ttl: "1s" }), "match: must be a pattern")
    assert.include(problem({ ttl: "1s" }), "match: must be a pattern")
    assert.strictEqual(problem({ match: "a" }), "policy: has no field besides match")
    assert.strictEqual(problem(["a"]), "policy: must be an object with \"match\" and fields")
    assert.strictEqual(
      problem({ match: "a*#ephemeral/?", max_depth: 0, dead_letter: "dead.{topic}.{channel}" }),
      "valid"
    )
  })

  it("the text of a flag is a short form or JSON", () => {
    const expected = { match: "orders.*/billing", max_attempts: 5, count_disconnects: true, ttl: "1h" }
    assert.deepStrictEqual(policyOf("orders.*/billing:max_attempts=5, count_disconnects=true,ttl=1h"), expected)
    assert.deepStrictEqual(policyOf(JSON.stringify(expected)), expected)
    const refused = (text: string) => {
      const policy = PolicyCheck.fromText(text)
      return Result.isFailure(policy) ? policy.failure.field : "valid"
    }
    assert.strictEqual(refused("orders"), "policy")
    assert.strictEqual(refused("orders:max_depth"), "max_depth")
    assert.strictEqual(refused("orders:max_depth=many"), "max_depth")
    assert.strictEqual(refused("orders:ttl=1s,max_depth=5,ttl=2s"), "ttl")
    assert.strictEqual(refused("{"), "policy")
  })

  it("the option takes lists of tables, strings and JSON", () => {
    const expected = [{ match: "a", max_depth: 1 }]
    const decode = (value: unknown) => Result.getOrThrow(PolicyKind.policies.decode(value))
    assert.deepStrictEqual(decode([{ match: "a", max_depth: 1n }]), expected)
    assert.deepStrictEqual(decode(["a:max_depth=1"]), expected)
    assert.deepStrictEqual(decode("a:max_depth=1"), expected)
    assert.deepStrictEqual(decode(`[{"match":"a","max_depth":1}]`), expected)
    assert.isTrue(Result.isFailure(PolicyKind.policies.decode(1)))
    assert.isTrue(Result.isFailure(PolicyKind.policies.decode("[")))
  })
})
