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
  it.prop("round-trip through their bytes", [Message], ([message]) => {
    const decoded = decodeMessage(encodeMessage(message))
    assert.isTrue(isMessage(decoded))
    assert.deepStrictEqual(
      { ...decoded, body: Buffer.from(decoded?.body ?? []).toString("hex") },
      { ...message, body: Buffer.from(message.body).toString("hex") }
    )
  })

  it.prop("are the same read by hand and by their Schema", [Schema.Uint8Array], ([bytes]) => {
    const byHand = decodeMessage(bytes)
    if (byHand === undefined) assert.throws(() => decode(bytes))
    else if (isMessage(byHand)) assert.deepStrictEqual(decode(bytes), byHand)
  })

  it.prop(
    "that are damaged or cut off are the same read by hand and by their Schema, which refuses ids that are not hex",
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

  it.prop("have ids that survive as keys", [MessageId], ([id]) => {
    assert.strictEqual(formatMessageKey(messageKey(id)), id)
    assert.deepStrictEqual(messageKey(Buffer.from(id)), messageKey(id))
  })

  it("need 26 bytes before the body", () => {
    assert.isUndefined(decodeMessage(Buffer.alloc(25)))
    assert.strictEqual(decodeMessage(Buffer.alloc(26))?.body.length, 0)
  })
})
