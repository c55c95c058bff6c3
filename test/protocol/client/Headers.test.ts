import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  decodeHeaders,
  encodeHeaders,
  encodePublishedHeaders,
  type Headers,
  HeadersError,
  headerValue,
  maxHeadersBytes,
  readHeaders
} from "../../../src/protocol/client/Headers.ts"

const Name = Schema.String.check(Schema.isPattern(/^[a-z0-9_-]{1,12}$/))
const Value = Schema.String.check(Schema.isPattern(/^([!-~é]([ -~é]{0,6}[!-~é])?)?$/))
const Some = Schema.Record(Name, Value)

const encoded = (headers: Headers): Buffer => {
  const block = encodeHeaders(headers)
  assert.isTrue(Buffer.isBuffer(block), String(block))
  return Buffer.isBuffer(block) ? block : Buffer.alloc(0)
}

const messageOf = (result: unknown): string => result instanceof HeadersError ? result.message : "valid"

describe("headers of messages", () => {
  it.prop("headers are decoded as they were encoded, and each value is found by its name", [Some], ([headers]) => {
    const block = encoded(headers)
    assert.deepStrictEqual(decodeHeaders(block), headers)
    assert.deepStrictEqual(readHeaders(block), headers)
    for (const [name, value] of Object.entries(headers)) assert.strictEqual(headerValue(block, name), value)
    assert.isUndefined(headerValue(block, "missing-header"))
  })

  it("a publisher may not set the headers of nsqd", () => {
    const published = (headers: Headers): string => {
      const block = encodePublishedHeaders(headers)
      return Buffer.isBuffer(block) ? block.toString() : block.message
    }
    assert.strictEqual(
      published({ a: "1", "nsq-origin-topic": "t" }),
      "invalid headers: only nsqd sets \"nsq-origin-topic\""
    )
    assert.strictEqual(published({ "Nsq-Origin-Own": "1" }), "invalid headers: only nsqd sets \"Nsq-Origin-Own\"")
    assert.strictEqual(published({ "nsq-dead-reason": "" }), "invalid headers: only nsqd sets \"nsq-dead-reason\"")
    assert.strictEqual(published({ "NSQ-redriven": "1" }), "invalid headers: only nsqd sets \"NSQ-redriven\"")
    assert.strictEqual(
      published({ "nsq-dedup-key": "1", "nsq-expires": "2", "nsq-original": "3", "x-nsq-origin-topic": "4" }),
      "nsq-dedup-key:1\nnsq-expires:2\nnsq-original:3\nx-nsq-origin-topic:4\n"
    )
  })

  it("headers are lines of names in lower case and values", () => {
    assert.strictEqual(
      encoded({ "Content-Type": "application/json", city: "Zürich: west", empty: "" }).toString(),
      "content-type:application/json\ncity:Zürich: west\nempty:\n"
    )
    assert.strictEqual(encoded({}).length, 0)
  })

  it("a name that ends like another one, or is in its value, is not taken for it", () => {
    const block = encoded({ "x-key": "key:1", key: "2" })
    assert.strictEqual(headerValue(block, "key"), "2")
    assert.isUndefined(headerValue(block, "ke"))
  })

  it("names that an object has by itself are names like others", () => {
    const headers = Object.fromEntries([["__proto__", "1"], ["constructor", "2"]])
    assert.deepStrictEqual(Object.entries(readHeaders(encoded(headers))), Object.entries(headers))
  })

  it("headers that are not valid are refused with the reason", () => {
    const reasons: ReadonlyArray<readonly [Headers, string]> = [
      [{ "two words": "" }, "the name \"two words\" is not a token"],
      [{ "": "x" }, "the name \"\" is not a token"],
      [{ "größe": "x" }, "is not a token"],
      [{ a: "x\ny:z" }, "the value of \"a\" has a control character"],
      [{ a: "\u007f" }, "has a control character"],
      [{ a: " x" }, "begins or ends with white space"],
      [{ a: "\ud800" }, "is not valid Unicode"],
      [{ a: "1", A: "2" }, "the name \"a\" occurs twice"],
      [{ a: "x".repeat(maxHeadersBytes - 2) }, "8193 bytes are more than the maximum of 8192"]
    ]
    for (const [headers, reason] of reasons) assert.include(messageOf(encodeHeaders(headers)), reason)
    assert.strictEqual(messageOf(encodeHeaders({ a: "x".repeat(maxHeadersBytes - 3) })), "valid")
  })

  it("a block of a client that is not valid is refused with the reason", () => {
    const reasons: ReadonlyArray<readonly [string | Buffer, string]> = [
      ["a:1", "the last line has no end"],
      ["a\n", "has no colon"],
      ["\n", "has no colon"],
      ["Key:1\n", "is not a token of HTTP in lower case"],
      ["a:1\na:2\n", "occurs twice"],
      ["a: 1\n", "white space"],
      ["a:1\r\n", "white space"],
      ["a:\u0000\n", "control character"],
      [Buffer.from([0x61, 0x3a, 0xff, 0x0a]), "not valid UTF-8"],
      [Buffer.alloc(maxHeadersBytes + 1, "a"), "more than the maximum"]
    ]
    for (const [block, reason] of reasons) assert.include(messageOf(decodeHeaders(Buffer.from(block))), reason)
  })

  it.prop("a block of any bytes is refused or is what its headers encode to", [Schema.Uint8Array], ([block]) => {
    const headers = decodeHeaders(block)
    if (headers instanceof HeadersError) return
    assert.deepStrictEqual(encoded(headers), Buffer.from(block))
  })
})
