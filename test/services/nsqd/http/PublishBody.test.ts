import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { bodiesOf, joinBodies } from "../../../../src/services/nsqd/broker/Publisher.ts"
import * as PublishBody from "../../../../src/services/nsqd/http/PublishBody.ts"

const max = 1000

const textsOf = (result: ReturnType<typeof PublishBody.lines>): unknown =>
  typeof result === "string" ? result : bodiesOf(result).map(String)

type Steps = ReturnType<typeof PublishBody.binary>

const finish = (steps: Steps) => {
  let count = 1
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) count++
  return { result: step.value, count }
}

const binary = (...body: Parameters<typeof PublishBody.binary>) => finish(PublishBody.binary(...body)).result

/** The binary form of an MPUB body. */
const encode = (bodies: ReadonlyArray<Uint8Array>): Buffer => {
  const { bytes, count } = joinBodies(bodies)
  const head = Buffer.alloc(4)
  head.writeInt32BE(count)
  return Buffer.concat([head, bytes])
}

describe("a body of lines", () => {
  it("a body of lines is one message per non-empty line", () => {
    assert.deepStrictEqual(textsOf(PublishBody.lines(Buffer.from("\n\na\r\n \n\nb\n\n"), max)), ["a\r", " ", "b"])
    assert.deepStrictEqual(textsOf(PublishBody.lines(Buffer.from("last has no end"), max)), ["last has no end"])
    assert.deepStrictEqual(textsOf(PublishBody.lines(Buffer.from("\n\n"), max)), [])
  })

  it("a body of lines is refused if a line is one byte too long", () => {
    assert.deepStrictEqual(textsOf(PublishBody.lines(Buffer.from("1234\n5"), 4)), ["1234", "5"])
    assert.strictEqual(PublishBody.lines(Buffer.from("1\n12345\n"), 4), "MSG_TOO_BIG")
  })

  it.effect.prop(
    "a body of lines decodes to the messages that were joined by newlines",
    { bodies: Schema.Array(Schema.String) },
    ({ bodies }) =>
      Effect.sync(() => {
        const messages = bodies.map((body) => body.replaceAll("\n", "").toWellFormed()).filter((body) => body !== "")
        const result = PublishBody.lines(Buffer.from(messages.join("\n")), 1 << 20)
        assert.deepStrictEqual(textsOf(result), messages)
        assert.strictEqual(typeof result === "string" ? -1 : result.bodyBytes, Buffer.byteLength(messages.join("")))
      })
  )
})

describe("a binary body", () => {
  it.effect.prop(
    "a binary body decodes to the messages that were encoded, regardless of the bytes after it",
    { bodies: Schema.Array(Schema.Uint8Array), rest: Schema.Uint8Array },
    ({ bodies, rest }) =>
      Effect.sync(() => {
        const messages = bodies.map((body) => Buffer.from(body)).filter((body) => body.length > 0)
        const result = binary(Buffer.concat([encode(messages), rest]), 1 << 20, 1 << 20)
        if (messages.length === 0) return assert.strictEqual(result, "BAD_BODY")
        assert.deepStrictEqual(
          typeof result === "string" ? result : bodiesOf(result).map((b) => Buffer.from(b)),
          messages
        )
      })
  )

  it.effect.prop(
    "a binary body is never read past its end",
    { bytes: Schema.Uint8Array },
    ({ bytes }) =>
      Effect.sync(() => {
        const result = binary(Buffer.from(bytes), max, max)
        if (typeof result !== "string") assert.isAtMost(4 + 4 * result.count + result.bodyBytes, bytes.length)
      })
  )

  it("a binary body with an invalid count is refused", () => {
    for (const hex of ["", "000000", "00000000", "ffffffff", "7fffffff"]) {
      assert.strictEqual(binary(Buffer.from(hex, "hex"), max, max), "BAD_BODY", hex)
    }
    // A body of 14 bytes can hold two messages, one of 13 bytes only one.
    const two = encode([Buffer.from("a"), Buffer.from("b")])
    assert.notStrictEqual(binary(two, max, 14), "BAD_BODY")
    assert.strictEqual(binary(two, max, 13), "BAD_BODY")
  })

  it("a binary body with an empty, negative, truncated or too long message is refused", () => {
    for (const second of ["00000000", "ffffffff", "0000", "000000036162", "00000009616161616161616161"]) {
      const body = Buffer.from(`000000020000000161${second}`, "hex")
      assert.strictEqual(binary(body, 8, max), "BAD_MESSAGE", second)
    }
  })

  it("a binary body with very many messages is checked in several steps, one with few in one step", () => {
    const many = encode(Array.from({ length: 200_000 }, () => Buffer.from("x")))
    const { count, result } = finish(PublishBody.binary(many, max, 1 << 20))
    assert.strictEqual(typeof result === "string" ? result : result.count, 200_000)
    assert.isAbove(count, 2)
    assert.strictEqual(finish(PublishBody.binary(encode([Buffer.from("x")]), max, 1 << 20)).count, 1)
  })
})

describe("a long body of lines", () => {
  it.effect.prop(
    "a long body of lines decodes to the same messages in several steps as in one",
    {
      lines: Schema.Array(
        Schema.Union([Schema.String, Schema.Literals(["", "\n\n", "a line that is longer than a look"])])
      )
    },
    ({ lines }) =>
      Effect.sync(() => {
        const body = Buffer.from(lines.join("\n"))
        for (const limit of [4, max]) {
          const whole = PublishBody.lines(body, limit)
          const { result } = finish(PublishBody.linesInSteps(body, limit))
          assert.deepStrictEqual(textsOf(result), textsOf(whole))
          if (typeof whole !== "string" && typeof result !== "string") {
            assert.strictEqual(result.bodyBytes, whole.bodyBytes)
            assert.strictEqual(result.bytes.length, whole.bytes.length)
          }
        }
      })
  )

  it("a long body of lines is read and copied in steps, whether its lines are short or long", () => {
    for (const line of ["x\n", `${"x".repeat(999)}\n`]) {
      const body = Buffer.alloc(1_000_000, line)
      assert.isTrue(PublishBody.hasManySteps(body))
      const { count, result } = finish(PublishBody.linesInSteps(body, max))
      assert.strictEqual(typeof result === "string" ? result : result.count, 1_000_000 / line.length)
      assert.isAtLeast(count, 6)
    }
  })
})
