import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Schema } from "effect"
import { MessageId } from "../../../src/protocol/client/Message.ts"
import { DeadLetter, type Delivery } from "../../../src/services/client/index.ts"

const delivery: Delivery<never> = {
  id: MessageId.make("0123456789abcdef"),
  timestamp: 1_700_000_000_123_456_789n,
  attempts: 3,
  body: Buffer.from([0, 255, 10]),
  headers: {},
  address: "a:1",
  deadline: 0,
  value: Effect.never,
  finish: Effect.void,
  requeue: () => Effect.void,
  reject: () => Effect.void,
  touch: Effect.void
}

describe("DeadLetter", () => {
  it.effect("an envelope has the message, its origin and the cause, and keeps every byte", () =>
    Effect.gen(function*() {
      const letters = DeadLetter.topic("dead")
      const letter = DeadLetter.fromDelivery(delivery, { topic: "orders", channel: "c" }, Cause.fail("sold out"))
      const body = yield* letters.encode(letter)
      const { cause, ...rest } = yield* letters.decode(body)
      assert.match(cause, /sold out/)
      assert.deepStrictEqual({ ...rest, body: [...rest.body] }, {
        topic: "orders",
        channel: "c",
        id: "0123456789abcdef",
        attempts: 3,
        timestamp: 1_700_000_000_123_456_789n,
        address: "a:1",
        body: [0, 255, 10]
      })
    }))

  it.effect("the Schema of envelopes can be used like any other, although it is made when it is used", () =>
    Effect.gen(function*() {
      assert.isTrue(Schema.isSchema(DeadLetter.DeadLetter))
      assert.isTrue("fields" in DeadLetter.DeadLetter)
      assert.deepStrictEqual(Object.keys(DeadLetter.DeadLetter.fields).slice(0, 3), ["topic", "channel", "id"])
      assert.strictEqual(
        Object.getOwnPropertyDescriptor(DeadLetter.DeadLetter, "ast")?.value,
        DeadLetter.DeadLetter.ast
      )
      const json = Schema.fromJsonString(Schema.Struct({ letters: Schema.Array(DeadLetter.DeadLetter) }))
      const letter = DeadLetter.fromDelivery(delivery, { topic: "orders", channel: "c" }, Cause.fail("sold out"))
      const text = yield* Schema.encodeEffect(json)({ letters: [letter] })
      const { letters: [decoded] } = yield* Schema.decodeEffect(json)(text)
      assert.strictEqual(decoded?.timestamp, letter.timestamp)
      const named = DeadLetter.DeadLetter.annotate({ identifier: "Letter" })
      assert.isTrue(Schema.is(named)(letter))
      assert.isFalse(Schema.is(named)({ ...letter, attempts: "3" }))
    }))

  it("a long cause is cut, and credentials in it are masked", () => {
    const letter = (text: string) => DeadLetter.fromDelivery(delivery, { topic: "t", channel: "c" }, Cause.fail(text))
    assert.strictEqual(letter("x".repeat(20_000)).cause.length, 10_000)
    assert.notInclude(letter("cannot reach https://user:hunter2@db/").cause, "hunter2")
  })
})
