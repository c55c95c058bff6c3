import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { FrameDecoder, FrameType } from "../../../src/protocol/client/Frame.ts"
import { GuidGenerator } from "../../../src/protocol/client/Guid.ts"
import { decodeMessage } from "../../../src/protocol/client/Message.ts"
import { frameAttempts, MessageBatch, raiseAttempts } from "../../../src/protocol/client/MessageBatch.ts"
import { walkRecords } from "../../../src/protocol/storage/DiskQueueFormat.ts"
import { joinBodies } from "../../../src/services/nsqd/broker/Publisher.ts"

const now = 1_790_000_000_123_456_789n
const Bodies = Schema.NonEmptyArray(Schema.Uint8Array)

const batchOf = (bodies: ReadonlyArray<Uint8Array>): MessageBatch =>
  MessageBatch.published(joinBodies(bodies), now, new GuidGenerator(1).take(now, bodies.length))

const messagesOf = (frames: Buffer) => {
  const decoder = new FrameDecoder()
  decoder.feed(frames)
  const messages = []
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
    assert.isTrue("type" in frame && frame.type === FrameType.message && "data" in frame)
    if ("data" in frame) messages.push(decodeMessage(frame.data))
  }
  return messages
}

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex")

describe("MessageBatch", () => {
  it.prop(
    "published bodies become frames with their timestamp, the first attempt and increasing ids",
    [Bodies],
    ([bodies]) => {
      const messages = messagesOf(batchOf(bodies).frames)
      assert.deepStrictEqual(messages.map((message) => hex(message?.body)), bodies.map(hex))
      assert.isTrue(messages.every((message) => message?.timestamp === now && message.attempts === 1))
      const ids = messages.map((message) => message?.id ?? "")
      assert.deepStrictEqual(ids, [...new Set(ids)].sort())
    }
  )

  it.prop("a batch has the same records before and after its frames are laid out", [Bodies], ([bodies]) => {
    const [fresh, framed] = [batchOf(bodies), batchOf(bodies)]
    assert.isAbove(framed.frames.length, 0)
    for (let from = 0; from < bodies.length; from++) {
      assert.strictEqual(
        hex(fresh.encodeRecords(from, bodies.length).bytes),
        hex(framed.encodeRecords(from, bodies.length).bytes)
      )
    }
  })

  it.prop("a batch from disk has the same frames as the batch in memory", [Bodies], ([bodies]) => {
    const batch = batchOf(bodies)
    const records = batch.encodeRecords(0, bodies.length)
    const walked = walkRecords(Buffer.from(records.bytes), 0, records.bytes.length, 1 << 20)
    assert.deepStrictEqual(walked, { count: bodies.length, end: records.bytes.length, next: undefined })
    assert.strictEqual(hex(MessageBatch.stored(records).frames), hex(batch.frames))
  })

  it.prop("stored records are unchanged after their frames are laid out", [Bodies], ([bodies]) => {
    const records = batchOf(bodies).encodeRecords(0, bodies.length)
    const batch = MessageBatch.stored(records)
    assert.strictEqual(batch.bodyBytes, bodies.reduce((sum, body) => sum + body.length, 0))
    assert.strictEqual(batch.encodeRecords(0, bodies.length), records)
    assert.isAbove(batch.frames.length, 0)
    assert.strictEqual(hex(batch.encodeRecords(0, bodies.length).bytes), hex(records.bytes))
  })

  it("attempts wrap after 65535, as in NSQ", () => {
    const { frames } = batchOf([Buffer.from("x")])
    for (let attempts = 2; attempts <= 65535; attempts++) raiseAttempts(frames, 0)
    assert.strictEqual(frameAttempts(frames, 0), 65535)
    raiseAttempts(frames, 0)
    assert.strictEqual(frameAttempts(frames, 0), 0)
  })

  it("a single message of a batch is a copy that can change separately", () => {
    const batch = batchOf([Buffer.from("one"), Buffer.from("two")])
    const single = batch.single(batch.frames.readInt32BE(0) + 4)
    raiseAttempts(single.frames, 0)
    assert.deepStrictEqual(messagesOf(single.frames).map((message) => message?.attempts), [2])
    assert.deepStrictEqual(messagesOf(batch.frames).map((message) => message?.attempts), [1, 1])
  })
})
