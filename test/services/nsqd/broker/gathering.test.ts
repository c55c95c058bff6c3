import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { consume, publish } from "../../../../src/broker.ts"
import { GuidGenerator } from "../../../../src/protocol/client/Guid.ts"
import { MessageBatch } from "../../../../src/protocol/client/MessageBatch.ts"
import { joinBodies } from "../../../../src/services/nsqd/broker/Publisher.ts"
import { TestBroker } from "../../../../src/testing/index.ts"

const framesOf = (batch: MessageBatch): Buffer => {
  let end = 0
  for (let i = 0; i < batch.count; i++) end += batch.frames.readInt32BE(end) + 4
  return batch.frames.subarray(0, end)
}

/** Publishes in order: one or more bodies each. */
const Publishes = Schema.Array(Schema.NonEmptyArray(Schema.NonEmptyString))

describe("small publishes that wait together", () => {
  it.prop("gathered publishes have the same frames as separate ones", [Publishes], ([publishes]) => {
    const [one, other] = [new GuidGenerator(5), new GuidGenerator(5)]
    const now = 1_700_000_000_000_000_000n
    const expected: Array<Buffer> = []
    const batches: Array<MessageBatch> = []
    for (const texts of publishes) {
      const bodies = texts.map((text) => Buffer.from(text))
      expected.push(framesOf(MessageBatch.published(joinBodies(bodies), now, one.take(now, bodies.length))))
      const ids = other.take(now, bodies.length)
      const last = batches.at(-1)
      if (last?.gather(joinBodies(bodies), now, ids)) continue
      const gathering = last && MessageBatch.gathering(joinBodies(bodies), now, ids, last)
      batches.push(gathering ?? MessageBatch.published(joinBodies(bodies), now, ids))
    }
    assert.deepStrictEqual(Buffer.concat(batches.map(framesOf)), Buffer.concat(expected))
    assert.isAtMost(batches.length, 8)
  })

  it.effect("gathered messages reach every channel once and in order, with larger ones in between", () =>
    Effect.gen(function*() {
      const bodies = Array.from(
        { length: 500 },
        (_, i) => Buffer.from(`${i} ${"x".repeat(i % 50 === 0 ? 10_000 : 10)}`)
      )
      for (const body of bodies) yield* publish("orders", body)
      const received = consume("orders", "billing", { maxInFlight: 7 }).pipe(
        Stream.tap((delivery) => delivery.finish),
        Stream.map((delivery) => Buffer.from(delivery.body)),
        Stream.take(bodies.length),
        Stream.runCollect
      )
      assert.deepStrictEqual(yield* received, bodies)
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("gathered messages go to disk once memory is full", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 100; i++) yield* publish("orders", Buffer.from(String(i)))
      const received = yield* consume("orders", "billing", { maxInFlight: 100 }).pipe(
        Stream.tap((delivery) => delivery.finish),
        Stream.map((delivery) => Number(Buffer.from(delivery.body).toString())),
        Stream.take(100),
        Stream.runCollect
      )
      assert.deepStrictEqual([...received].sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i))
    }).pipe(Effect.provide(TestBroker.layer({ memQueueSize: 10 }))))
})
