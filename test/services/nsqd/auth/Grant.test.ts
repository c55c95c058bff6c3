import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Grant from "../../../../src/services/nsqd/auth/Grant.ts"

const answer = (authorizations: unknown, more: object = {}) => JSON.stringify({ ttl: 10, authorizations, ...more })
const everything = { topic: ".*", channels: [".*"], permissions: ["subscribe", "publish"] }
const grant = (...authorizations: ReadonlyArray<object>) =>
  Result.getOrThrow(Grant.decode(answer(authorizations.map((each) => ({ ...everything, ...each })))))
const refusal = (body: string) => Result.getOrThrow(Result.flip(Grant.decode(body))).message

describe("Grant", () => {
  it("a grant has the identity and permissions of the response", () => {
    const body = answer([everything, everything], { identity: "me", identity_url: "http://id", unknown: [1] })
    const { permits: _, ...said } = Result.getOrThrow(Grant.decode(body))
    assert.deepStrictEqual(said, { identity: "me", identityUrl: "http://id", permissionCount: 2, ttlMillis: 10_000 })
  })

  it("missing and null fields are empty and permit nothing", () => {
    for (const authorizations of [undefined, null, [], [{}], [{ topic: null, channels: null, permissions: null }]]) {
      const { identity, permits } = Result.getOrThrow(Grant.decode(answer(authorizations, { identity: null })))
      assert.deepStrictEqual([identity, permits("t", ""), permits("t", "c"), permits("", "")], [
        "",
        false,
        false,
        false
      ])
    }
  })

  it("a pattern must match the whole name", () => {
    const { permits } = grant({ topic: "ord[ae]rs|bills", channels: ["^a", "z$", "b+"] })
    const may = (topic: string, channel: string) => permits(topic, channel)
    assert.deepStrictEqual([may("orders", "a"), may("ordars", "z"), may("bills", "bbb")], [true, true, true])
    for (const topic of ["new-orders", "orders2", "order", "billsx", "xbills", "Orders", ""]) {
      assert.isFalse(may(topic, "a"))
    }
    for (const channel of ["ab", "xz", "abbb", "bbba", "A"]) assert.isFalse(may("orders", channel))
  })

  it("the permissions of one authorization do not extend to another", () => {
    const { permits } = grant({ topic: "in", permissions: ["subscribe"] }, { topic: "out", permissions: ["publish"] })
    assert.deepStrictEqual(
      [permits("in", "c"), permits("in", ""), permits("out", "c"), permits("out", "")],
      [true, false, false, true]
    )
  })

  it("publishing requires a channel pattern that matches the empty name", () => {
    assert.isTrue(grant({ channels: [""] }).permits("t", ""))
    assert.isTrue(grant({ channels: ["c", "x*"] }).permits("t", ""))
    assert.isFalse(grant({ channels: ["c"] }).permits("t", ""))
    assert.isFalse(grant({ channels: [] }).permits("t", ""))
  })

  it("patterns that make backtracking engines run forever match in linear time", () => {
    const name = `${"a".repeat(63)}!`
    assert.isFalse(grant({ topic: "(a+)+" }).permits(name, ""))
    assert.isFalse(grant({ topic: "(a|a)*(a|a)*(a|a)*b" }).permits(name, ""))
  })

  it("a response with an unknown or invalid part is rejected as a whole", () => {
    const notJson = "the response is not a valid authorization"
    for (const body of ["", "nope", "[]", "null", "5", "{\"ttl\":", answer({}), answer([5]), answer([{ topic: 5 }])]) {
      assert.strictEqual(refusal(body), notJson, body)
    }
    assert.strictEqual(refusal(answer([everything], { ttl: 1.5 })), notJson)
    assert.strictEqual(refusal(answer([everything], { ttl: "10" })), notJson)
    assert.strictEqual(refusal(answer([everything], { ttl: null })), "invalid TTL 0 (must be >0)")
    assert.strictEqual(refusal(answer([everything], { ttl: -5 })), "invalid TTL -5 (must be >0)")
    assert.strictEqual(
      refusal(answer([everything, { ...everything, permissions: ["subscribe", "Publish"] }])),
      "unknown permission \"Publish\""
    )
    assert.strictEqual(
      refusal(answer([{ ...everything, topic: "a(" }])),
      "unable to compile topic \"a(\" error parsing regexp: missing closing ): `a(`"
    )
    assert.match(
      refusal(answer([{ ...everything, channels: ["a", "[z-a]"] }])),
      /^unable to compile channel "\[z-a\]" /
    )
  })

  it("patterns and lists above the limits are rejected", () => {
    assert.match(
      refusal(answer([{ ...everything, topic: "a".repeat(1025) }])),
      /pattern of 1025 characters exceeds the limit of 1024$/
    )
    assert.isTrue(grant({ topic: "a".repeat(1024) }).permits("a".repeat(1024), ""))
    assert.match(refusal(answer([{ ...everything, topic: "((a{100}){100}){100}" }])), /invalid repeat count/)
    assert.strictEqual(
      refusal(answer(Array.from({ length: 10_001 }, () => ({})))),
      "10001 authorizations exceed the limit of 10000"
    )
  })

  it("more patterns than the cache holds still compile", () => {
    for (let i = 0; i < 1100; i++) assert.isTrue(grant({ topic: `t${i}` }).permits(`t${i}`, ""))
    assert.isTrue(grant({ topic: "t0" }).permits("t0", ""))
  })
})
