import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { valueAt } from "../../../src/protocol/client/HeaderLines.ts"
import { decodeHeaders, dedupKeyHeader, HeadersError, refuseOwnHeaders } from "../../../src/protocol/client/Headers.ts"
import { keyStart, noKey, notPlain } from "../../../src/protocol/client/PlainHeaders.ts"

/** Parts of headers, valid and not, that are joined in any order. */
const Part = Schema.Literals([
  "a",
  "b1",
  "x-bench",
  dedupKeyHeader,
  "nsq-",
  "nsq-origin-topic",
  "nsq-redriven",
  ":",
  ":",
  ":",
  "1",
  "some text",
  " ",
  "\t",
  "\u007f",
  "é",
  "A",
  "\n",
  "\n",
  "\n"
])

/** What a publish with these headers is, as `decodeHeaders` sees it. */
const decoded = (block: Buffer) => {
  const headers = decodeHeaders(block)
  if (headers instanceof HeadersError || refuseOwnHeaders(headers) !== undefined) return "refused"
  return { key: headers[dedupKeyHeader] }
}

const plain = (block: Buffer, before = "", after = "\0\0\0\u0001x") => {
  const bytes = Buffer.concat([Buffer.from(before), block, Buffer.from(after)])
  const start = keyStart(bytes, before.length, before.length + block.length)
  if (start === notPlain) return "not plain"
  return { key: start === noKey ? undefined : valueAt(bytes, start) }
}

describe("plain headers", () => {
  it.prop(
    "those that are plain are valid and have the same key, whatever is around them",
    { parts: Schema.Array(Part).check(Schema.isMaxLength(30)), after: Schema.Literals(["", "a:1\n", ":", "\n", "x"]) },
    ({ after, parts }) => {
      const block = Buffer.from(parts.join(""))
      const found = plain(block, "b:2\n", after)
      if (found !== "not plain") assert.deepStrictEqual(found, decoded(block))
    },
    { arbitrary: { runs: 2000 } }
  )

  it("headers of most publishes are plain", () => {
    assert.deepStrictEqual(plain(Buffer.alloc(0)), { key: undefined })
    assert.deepStrictEqual(plain(Buffer.from("traceparent:00-1-2-01\ncontent-type:a/b; c=d\n")), { key: undefined })
    assert.deepStrictEqual(plain(Buffer.from("a:\nnsq-dedup-key:order 7: paid\nb:1\n")), { key: "order 7: paid" })
    assert.deepStrictEqual(plain(Buffer.from("nsq-dedup-key:\n")), { key: "" })
  })

  it("those with the same name twice, with text that is not ASCII, or with names of nsqd are decoded", () => {
    for (
      const text of ["a:1\na:2\n", "a:é\n", "nsq-redriven:1\n", "nsq-ttl:1\n", "a:1", "a\n", ":\n", "A:1\n", "a: 1\n"]
    ) {
      assert.strictEqual(plain(Buffer.from(text)), "not plain", text)
    }
    const many = Array.from({ length: 17 }, (_, i) => `a${i}:1\n`).join("")
    assert.strictEqual(plain(Buffer.from(many)), "not plain")
  })
})
