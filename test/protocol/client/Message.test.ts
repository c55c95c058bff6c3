import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  decodeMessage,
  encodeMessage,
  formatMessageKey,
  Message,
  MessageFromBytes,
  MessageId,
  messageKey
} from "../../../src/protocol/client/Message.ts"

const decode = Schema.decodeUnknownSync(MessageFromBytes)
const isMessage = Schema.is(Message)

describe("messages", () => {
  it.prop("messages round-trip through their bytes", [Message], ([message]) => {
    const decoded = decodeMessage(encodeMessage(message))
    assert.isTrue(isMessage(decoded))
    assert.deepStrictEqual(
      { ...decoded, body: Buffer.from(decoded?.body ?? []).toString("hex") },
      { ...message, body: Buffer.from(message.body).toString("hex") }
    )
  })

  it.prop("decodeMessage and the Schema decode the same messages", [Schema.Uint8Array], ([bytes]) => {
    const byHand = decodeMessage(bytes)
    if (byHand === undefined) assert.throws(() => decode(bytes))
    else if (isMessage(byHand)) assert.deepStrictEqual(decode(bytes), byHand)
  })

  it.prop(
    "decodeMessage and the Schema decode damaged messages alike, but the Schema refuses ids that are not hex",
    [Message, Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])), Schema.Int],
    ([message, changes, length]) => {
      const bytes = encodeMessage(message)
      for (const [at, value] of changes) bytes[Math.abs(at) % bytes.length] = value & 0xff
      for (const damaged of [bytes, bytes.subarray(0, Math.abs(length) % bytes.length)]) {
        const byHand = decodeMessage(damaged)
        if (byHand !== undefined && isMessage(byHand)) assert.deepStrictEqual(decode(damaged), byHand)
        else assert.throws(() => decode(damaged))
      }
    }
  )

  it.prop("message ids round-trip through their keys", [MessageId], ([id]) => {
    assert.strictEqual(formatMessageKey(messageKey(id)), id)
    assert.deepStrictEqual(messageKey(Buffer.from(id)), messageKey(id))
  })

  it("a message has a header of 26 bytes", () => {
    assert.isUndefined(decodeMessage(Buffer.alloc(25)))
    assert.strictEqual(decodeMessage(Buffer.alloc(26))?.body.length, 0)
  })
})
