import { assert, describe, it } from "@effect/vitest"
import * as Storage from "../../../src/web/core/storage.ts"

const message = {
  sequence: 1,
  id: "1",
  timestamp: "0",
  attempts: 0,
  state: "waiting",
  body_size: 1,
  body: "x"
} as const

describe("stored messages", () => {
  it("the attempts of a finished message that is still kept are unknown", () => {
    assert.strictEqual(Storage.attempts(message), "not delivered")
    assert.strictEqual(Storage.attempts({ ...message, attempts: 2 }), "2 attempts")
    assert.strictEqual(Storage.attempts({ ...message, state: "retained" }), "")
  })

  it("a message is named by its sequence, or by its id without one", () => {
    const { sequence, ...other } = message
    assert.strictEqual(Storage.nameOf(message), String(sequence))
    assert.strictEqual(Storage.nameOf({ ...other, id: "0d9a3b6e5f4c8001" }), "0d9a3b6e5f4c8001")
  })

  it("a dead letter has its origin apart from its other headers, and another message has none", () => {
    const dead = {
      ...message,
      headers: {
        "nsq-origin-topic": "orders",
        "nsq-origin-channel": "billing",
        "nsq-origin-timestamp": "1785499200000000000",
        "nsq-origin-expires": "1785499260000",
        "nsq-dead-reason": "max_attempts",
        traceparent: "00"
      }
    }
    const origin = Storage.originOf(dead)
    assert.deepStrictEqual([origin?.topic, origin?.channel, origin?.reason], ["orders", "billing", "max_attempts"])
    assert.strictEqual(new Map(origin?.properties).get("First published"), "2026-07-31T12:00:00.000Z")
    assert.strictEqual(new Map(origin?.properties).get("Own expiry"), "2026-07-31T12:01:00.000Z")
    assert.deepStrictEqual(Storage.otherHeaders(dead), [["traceparent", "00"]])
    assert.isUndefined(Storage.originOf({ ...message, headers: { traceparent: "00" } }))
  })
})
