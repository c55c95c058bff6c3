import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { goQuote, parseDigits } from "../../../src/protocol/text/Text.ts"

describe("numbers in command lines", () => {
  it.prop("a number in a command line is parsed as it is written", [Schema.Int], ([value]) => {
    assert.strictEqual(parseDigits(String(Math.abs(value))), BigInt(Math.abs(value)))
  })
  it("numbers wrap at 64 bits, and an empty string is 0", () => {
    assert.strictEqual(parseDigits("18446744073709551617"), 1n)
    assert.strictEqual(parseDigits(""), 0n)
    assert.isUndefined(parseDigits("-1"))
    assert.isUndefined(parseDigits("1 "))
  })
})

describe("quoting as Go's %q", () => {
  const cases: ReadonlyArray<readonly [bytes: Buffer, quoted: string]> = [
    [Buffer.from("plain"), "\"plain\""],
    [Buffer.from("a\"b\\c"), "\"a\\\"b\\\\c\""],
    [Buffer.from("\x00\x07\n\x7f"), "\"\\x00\\a\\n\\x7f\""],
    [Buffer.from([0xff, 0x41]), "\"\\xffA\""],
    [Buffer.from("\u2028"), "\"\\u2028\""],
    [Buffer.from([0xe2, 0x80]), "\"\\xe2\\x80\""]
  ]
  for (const [bytes, quoted] of cases) {
    it(`the quoted form of ${bytes.toString("hex")} is ${quoted}`, () => assert.strictEqual(goQuote(bytes), quoted))
  }
  it("quoting keeps printable characters of UTF-8, with one character per byte", () => {
    assert.strictEqual(Buffer.from(goQuote(Buffer.from("grün")), "latin1").toString(), "\"grün\"")
  })
  it.prop("quoting any bytes succeeds", [Schema.Uint8Array], ([bytes]) => {
    assert.match(goQuote(Buffer.from(bytes)), /^".*"$/s)
  })
})
