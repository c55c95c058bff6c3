import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { Topic } from "../../../src/services/client/index.ts"

const Order = Schema.Struct({ item: Schema.String, quantity: Schema.Int.check(Schema.isGreaterThan(0)) })
const orders = Topic.make("orders", Order)
const text = (body: Uint8Array): string => Buffer.from(body).toString()

describe("ClientTopic", () => {
  it.effect.prop(
    "a value of a topic with a Schema survives its encoding",
    { order: Order },
    ({ order }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* orders.decode(yield* orders.encode(order)), order)
      })
  )

  it.effect.prop(
    "a traced topic keeps the value, and the link has the identity of the publishing span",
    { order: Order },
    ({ order }) =>
      Effect.gen(function*() {
        const traced = Topic.traced(orders)
        const span = yield* Effect.currentSpan
        const body = yield* traced.encode(order)
        assert.deepStrictEqual(yield* orders.decode(body), order)
        const linked = traced.linkOf?.(body)?.span
        assert.deepStrictEqual([linked?.traceId, linked?.spanId], [span.traceId, span.spanId])
      }).pipe(Effect.withSpan("publish"))
  )

  it.effect("a traced topic adds nothing outside of a span", () =>
    Effect.gen(function*() {
      const body = yield* Topic.traced(orders).encode({ item: "tea", quantity: 1 })
      assert.strictEqual(text(body), "{\"item\":\"tea\",\"quantity\":1}")
    }))

  it.effect("an empty JSON object of a traced topic stays valid JSON with its span", () =>
    Effect.gen(function*() {
      const empty = Topic.traced(Topic.make("empty", Schema.Struct({})))
      const body = yield* empty.encode({})
      assert.deepStrictEqual(Object.keys(JSON.parse(text(body))), ["traceparent"])
      assert.isDefined(empty.linkOf?.(body))
    }).pipe(Effect.withSpan("publish")))

  it("a body whose span is damaged, or not at its end, has no link", () => {
    const { linkOf } = Topic.traced(orders)
    const span = `"traceparent":"00-${"a".repeat(32)}-${"b".repeat(16)}-01"`
    assert.isDefined(linkOf?.(Buffer.from(`{${span}}`)))
    for (const body of ["", "{}", `{${span},"item":"tea"}`, `{${span.replace("aa", "AA")}}`, `{${span.slice(1)}}x`]) {
      assert.isUndefined(linkOf?.(Buffer.from(body)), body)
    }
  })

  it.effect("a body that does not match the Schema fails with the topic and the reason", () =>
    Effect.gen(function*() {
      for (const body of ["", "not JSON", "{\"item\":\"tea\"}", "{\"item\":\"tea\",\"quantity\":1.5}", "null"]) {
        const error = yield* Effect.flip(orders.decode(Buffer.from(body)))
        assert.deepInclude(error.reason, { _tag: "InvalidMessage", topic: "orders" })
        assert.match(error.message, /^orders: ./)
      }
      assert.match((yield* Effect.flip(orders.encode({ item: "tea", quantity: 0.5 }))).message, /^orders: ./)
    }))

  it.effect("a topic of bytes does not change them", () =>
    Effect.gen(function*() {
      const raw = Topic.bytes("raw")
      const bytes = Uint8Array.of(0, 255, 10)
      assert.strictEqual(yield* raw.encode(bytes), bytes)
      assert.strictEqual(yield* raw.decode(bytes), bytes)
      assert.isUndefined(raw.linkOf)
    }))

  it.effect("a name that NSQ does not accept is a defect of the program", () =>
    Effect.gen(function*() {
      for (const name of ["", "a b", "x".repeat(65)]) {
        const attempts = [() => Topic.bytes(name), () => Topic.make(name, Order), () => Topic.channelName(name)]
        for (const attempt of attempts) {
          assert.isTrue(Exit.hasDies(yield* Effect.exit(Effect.sync<unknown>(attempt))), name)
        }
      }
      assert.throws(() => Topic.bytes("a b"), RangeError, `"a b" is not a valid topic name`)
      assert.strictEqual(Topic.channelName("c#ephemeral"), "c#ephemeral")
    }))
})
