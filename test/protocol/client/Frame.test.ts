import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { encodeFrame, encodeResponse, Frame, FrameDecoder, FrameError } from "../../../src/protocol/client/Frame.ts"
import { cut, CutLengths, int32 } from "./commands.ts"

const decodeAll = (pieces: ReadonlyArray<Buffer>, maxFrameSize?: number): ReadonlyArray<unknown> => {
  const decoder = new FrameDecoder(maxFrameSize)
  const frames: Array<unknown> = []
  for (const piece of pieces) {
    decoder.feed(piece)
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      if (frame instanceof FrameError) return [...frames, frame.message]
      frames.push({ type: frame.type, data: Buffer.from(frame.data).toString("hex") })
    }
  }
  return frames
}

describe("frames", () => {
  it.prop("frames round-trip in pieces of any size", [Schema.Array(Frame), CutLengths], ([frames, lengths]) => {
    const bytes = Buffer.concat(frames.map(({ data, type }) => encodeFrame(type, data)))
    const expected = frames.map(({ data, type }) => ({ type, data: Buffer.from(data).toString("hex") }))
    assert.deepStrictEqual(decodeAll(cut(bytes, lengths)), expected)
  })

  it.prop(
    "damaged frames are decoded to the same frames or one error in pieces of any size",
    [Schema.Array(Frame), CutLengths, Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))],
    ([frames, lengths, changes]) => {
      const bytes = Buffer.concat(frames.map(({ data, type }) => encodeFrame(type, data)))
      for (const [at, value] of changes) {
        if (bytes.length > 0) bytes[Math.abs(at) % bytes.length] = value & 0xff
      }
      assert.deepStrictEqual(decodeAll(cut(bytes, lengths)), decodeAll([bytes]))
      assert.deepStrictEqual(decodeAll(cut(bytes, [1])), decodeAll([bytes]))
    }
  )

  const Replies = Schema.Array(Schema.Union([Schema.Literal("OK"), Schema.String]))

  it.prop(
    "OK responses that are counted and other frames keep their order",
    [Replies, CutLengths],
    ([texts, lengths]) => {
      const bytes = Buffer.concat(texts.map(encodeResponse))
      const decoder = new FrameDecoder()
      const seen: Array<string> = []
      for (const piece of cut(bytes, lengths)) {
        decoder.feed(piece)
        while (true) {
          for (let oks = decoder.takeOks(); oks > 0; oks--) seen.push("OK")
          const frame = decoder.next()
          if (frame === undefined || frame instanceof FrameError) break
          seen.push(Buffer.from(frame.data).toString())
        }
      }
      assert.deepStrictEqual(seen, texts.map((text) => Buffer.from(text).toString()))
    }
  )

  it.prop(
    "the rest of the input has all bytes of frames that were not taken",
    [Replies, CutLengths],
    ([texts, lengths]) => {
      const bytes = Buffer.concat(texts.map(encodeResponse))
      const decoder = new FrameDecoder()
      for (const piece of cut(bytes, lengths)) decoder.feed(piece)
      assert.isTrue(decoder.takeRest().equals(bytes))
      assert.strictEqual(decoder.takeOks(), 0)
      assert.isUndefined(decoder.next())
    }
  )

  it("a frame has size, type and data in big-endian order", () => {
    assert.deepStrictEqual(encodeResponse("OK"), Buffer.concat([int32(6, 0), Buffer.from("OK")]))
  })

  it("a frame of two megabytes that arrives byte by byte is decoded", () => {
    const bytes = encodeFrame(2, Buffer.alloc(2 * 1024 * 1024, "message"))
    const decoder = new FrameDecoder()
    let frame: ReturnType<typeof decoder.next>
    for (let at = 0; frame === undefined; at++) {
      decoder.feed(bytes.subarray(at, at + 1))
      frame = decoder.next()
    }
    assert.isFalse(frame instanceof FrameError)
    if (!(frame instanceof FrameError)) assert.isTrue(Buffer.from(frame.data).equals(bytes.subarray(8)))
    assert.strictEqual(decoder.takeRest().length, 0)
  })

  it("a frame with an invalid size or type is refused before its data arrives", () => {
    assert.deepStrictEqual(decodeAll([int32(-1, 0)]), ["invalid frame: size -1, type 0"])
    assert.deepStrictEqual(decodeAll([int32(3, 0)]), ["invalid frame: size 3, type 0"])
    assert.deepStrictEqual(decodeAll([int32(0x7fffffff, 2)]), ["invalid frame: size 2147483647, type 2"])
    assert.deepStrictEqual(decodeAll([int32(6, 4)]), ["invalid frame: size 6, type 4"])
    assert.deepStrictEqual(decodeAll([int32(101, 2)], 100), ["invalid frame: size 101, type 2"])
  })
})
