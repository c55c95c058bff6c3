import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { DeferredOnDisk } from "../../../../src/services/nsqd/broker/DeferredOnDisk.ts"
import { batches, bodiesIn } from "./messages.ts"

const Delay = Schema.Literals([0, 0, 10, 500])

describe("delays of messages on disk", () => {
  it.effect.prop(
    "delays of messages on disk are restored, and the other messages stay together in order",
    { delays: Arbitrary.array(Arbitrary.schema(Delay), { minLength: 1, maxLength: 30 }) },
    ({ delays }) =>
      Effect.sync(() => {
        const makeBatch = batches()
        const onDisk = new DeferredOnDisk()
        const records = delays.map((delay, i) => {
          const record = makeBatch([`${i}`]).encodeRecords(0, 1)
          if (delay > 0) onDisk.add(record, delay)
          return Buffer.from(record.bytes.subarray(record.start, record.end))
        })
        assert.strictEqual(onDisk.size, delays.filter((delay) => delay > 0).length)
        // Read from the middle of a larger buffer, as from a file.
        const bytes = Buffer.concat([Buffer.from("before"), ...records, Buffer.from("behind")])
        const run = { bytes, start: 6, end: bytes.length - 6, count: delays.length }
        const split = onDisk.split(run)
        const found = split.flatMap((batch) => bodiesIn(batch).map((body) => ({ body, delay: batch.deferMillis })))
        assert.deepStrictEqual(found, delays.map((delay, i) => ({ body: `${i}`, delay })))
        for (const [i, batch] of split.entries()) {
          if (batch.deferMillis > 0) assert.strictEqual(batch.count, 1)
          else assert.isFalse(i > 0 && split[i - 1]?.deferMillis === 0, "two runs that could have been one")
        }
        assert.strictEqual(onDisk.size, 0, "a delay is kept although its message was read")
      }),
    { arbitrary: { runs: 100, size: 30 } }
  )

  it("delays are forgotten when the topic is emptied", () => {
    const onDisk = new DeferredOnDisk()
    const record = batches()(["later"]).encodeRecords(0, 1)
    onDisk.add(record, 1000)
    onDisk.clear()
    assert.deepStrictEqual(onDisk.split(record).map((batch) => batch.deferMillis), [0])
  })
})
