import { assert, describe, it } from "@effect/vitest"
import { MessageBatch, recordHeaderSize, type StoredRecords } from "../../../../src/protocol/client/MessageBatch.ts"
import { LentRun, partsToWrite } from "../../../../src/services/nsqd/broker/LentRun.ts"
import { settleSpan, type Span } from "../../../../src/services/nsqd/broker/MemoryQueue.ts"

/** Records with these bodies and ids that follow from them, behind other bytes. */
const recordsOf = (bodies: ReadonlyArray<string>): StoredRecords => {
  const records = bodies.map((body) => {
    const record = Buffer.alloc(recordHeaderSize + body.length)
    record.writeInt32BE(record.length - 4)
    record.writeBigInt64BE(BigInt(body.length), 4)
    record.write(body.padEnd(16, "-").slice(0, 16), 14)
    record.write(body, recordHeaderSize)
    return record
  })
  const bytes = Buffer.concat([Buffer.alloc(9, 1), ...records])
  return { bytes, start: 9, end: bytes.length, count: bodies.length }
}

const bodies = ["a", "", "long body", "d", "e"]

/** A run of the topic's disk, which messages of it the topic has settled, and whether all shares are. */
const lentRun = (receivers = 2) => {
  const run = recordsOf(bodies)
  const { frames } = MessageBatch.stored(run)
  const positions: Array<number> = []
  for (let at = 0; at < frames.length; at += frames.readInt32BE(at) + 4) positions.push(at)
  const settled: Array<number> = []
  let ended = 0
  const ledger = {
    settle: (position: number, count: number) => {
      for (let i = 0; i < count; i++) settled.push(positions.indexOf(position) + i)
    }
  }
  const lent = new LentRun({ ...run, ledger }, () => receivers, () => ended++)
  return { lent, settled, ended: () => ended, positions }
}

const indexes = (spans: ReadonlyArray<Span>) => spans.map(({ end, index }) => [index, end])

describe("a lent run", () => {
  it("a share has the spans of its messages, in the frames of the run", () => {
    const { lent, positions, settled } = lentRun()
    // As they are after a part of the run went elsewhere.
    const [first, second] = lent.lend([recordsOf(["", "long body"]), recordsOf(["e"])])
    assert.deepStrictEqual(indexes([first!, second!]), [[1, 3], [4, 5]])
    assert.deepStrictEqual([first!.position, second!.position], [positions[1], positions[4]])
    assert.deepStrictEqual(first!.batch.encodeRecords(1, 3, positions[1]).count, 2)
    lent.begin()
    assert.deepStrictEqual(settled, [0, 3])
  })

  it("a message of several shares is settled once, with the last of them", () => {
    const { ended, lent, positions, settled } = lentRun()
    const [one] = lent.lend([recordsOf(bodies)])
    const [other] = lent.lend([recordsOf(bodies.slice(2))])
    lent.begin()
    assert.deepStrictEqual(settled, [])
    one!.batch.settle(positions[2]!, 1)
    one!.batch.settle(positions[2]!, 1)
    assert.deepStrictEqual(settled, [])
    other!.batch.single(positions[2]!).settle(0, 1)
    assert.deepStrictEqual(settled, [2])
    settleSpan(one!)
    assert.deepStrictEqual(settled, [2, 0, 1])
    assert.strictEqual(ended(), 0)
    settleSpan(other!)
    assert.deepStrictEqual(settled, [2, 0, 1, 3, 4])
    assert.strictEqual(ended(), 1)
  })

  it("a channel that stops writes the messages that not all channels have to settle any more", () => {
    const { lent, positions } = lentRun()
    const [one] = lent.lend([recordsOf(bodies)])
    const [other] = lent.lend([recordsOf(bodies)])
    lent.begin()
    assert.deepStrictEqual(partsToWrite(one!), [])
    other!.batch.settle(positions[1]!, 2)
    other!.batch.settle(positions[4]!, 1)
    assert.deepStrictEqual(indexes(partsToWrite(one!)), [[1, 3], [4, 5]])
    assert.deepStrictEqual(partsToWrite({ ...other!, index: 3, position: positions[3]!, end: 4 }), [])
  })

  it("a channel that stops writes everything if there is a newer channel", () => {
    const { lent } = lentRun(2)
    const [one] = lent.lend([recordsOf(bodies)])
    lent.begin()
    assert.deepStrictEqual(indexes(partsToWrite(one!)), [[0, 5]])
  })

  it("after the topic was emptied, the messages are only in memory and are all written", () => {
    const { lent } = lentRun(1)
    const [one] = lent.lend([recordsOf(bodies)])
    lent.begin()
    assert.isTrue(one!.batch.isOnDisk)
    lent.isGone = true
    assert.isFalse(one!.batch.isOnDisk)
    assert.deepStrictEqual(partsToWrite(one!), [one!])
  })
})
