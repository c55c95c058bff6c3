import { assert, describe, it } from "@effect/vitest"
import { MessageBatch } from "../../../../src/protocol/client/MessageBatch.ts"
import { KeptRecords } from "../../../../src/services/nsqd/broker/KeptRecords.ts"

/** Records with bodies of different sizes, after other bytes. */
const recordsOf = (bodies: ReadonlyArray<string>) => {
  const parts = bodies.map((body) => {
    const record = Buffer.alloc(4 + 26 + body.length)
    record.writeInt32BE(26 + body.length)
    record.write(body, 30)
    return record
  })
  const bytes = Buffer.concat([Buffer.alloc(9, 1), ...parts])
  return { bytes, start: 9, end: bytes.length, count: bodies.length }
}

/** A batch of the records, the positions of its frames, and how often they were reported as finished. */
const kept = (bodies: ReadonlyArray<string>) => {
  const records = recordsOf(bodies)
  let finished = 0
  const batch = MessageBatch.stored(records, new KeptRecords(records, () => finished++))
  const positions: Array<number> = []
  for (let at = 0; at < batch.frames.length; at += batch.frames.readInt32BE(at) + 4) positions.push(at)
  return { batch, positions, finished: () => finished }
}

describe("kept records", () => {
  it("they are finished once the last message is settled, in any order", () => {
    const { batch, finished, positions } = kept(["a", "", "long body", "d"])
    for (const index of [2, 0, 3]) batch.settle(positions[index] ?? 0, 1)
    assert.strictEqual(finished(), 0)
    batch.settle(positions[1] ?? 0, 1)
    assert.strictEqual(finished(), 1)
  })

  it("a message that is settled twice counts once", () => {
    const { batch, finished, positions } = kept(["a", "b"])
    batch.settle(positions[0] ?? 0, 1)
    batch.settle(positions[0] ?? 0, 1)
    assert.strictEqual(finished(), 0)
    batch.settle(0, 2)
    batch.settle(0, 2)
    assert.strictEqual(finished(), 1)
  })

  it("a message of a copied frame settles its own record", () => {
    const { batch, finished, positions } = kept(["a", "b", "c"])
    const last = batch.single(positions[2] ?? 0)
    batch.settle(0, 2)
    assert.strictEqual(finished(), 0)
    last.settle(0, 1)
    assert.strictEqual(finished(), 1)
  })
})
