import { assert, describe, it } from "@effect/vitest"
import * as JsonFilter from "../../../src/services/tools/JsonFilter.ts"

const none = { requireJsonField: "", requireJsonValue: "", whitelistJsonFields: [] }

/** The new body of a message, or why it does not pass. */
const through = (options: Partial<JsonFilter.JsonFilterOptions>, text: string) => {
  const verdict = JsonFilter.make({ ...none, ...options })?.(Buffer.from(text))
  return verdict?._tag === "pass" ? Buffer.from(verdict.body).toString() : verdict?._tag
}
const kept = (text: string, ...keys: ReadonlyArray<string>) => through({ whitelistJsonFields: keys }, text)

describe("a JSON filter", () => {
  it("there is no filter without requirements, or for a value without a key", () => {
    assert.isUndefined(JsonFilter.make(none))
    assert.isUndefined(JsonFilter.make({ ...none, requireJsonValue: "x" }))
  })

  it("messages with the required key pass unchanged, byte for byte", () => {
    const text = "{ \"k\" : null,\n\"z\":\"<\" }"
    assert.strictEqual(through({ requireJsonField: "k" }, text), text)
    assert.strictEqual(through({ requireJsonField: "K" }, text), "drop")
    assert.strictEqual(through({ requireJsonField: "toString" }, text), "drop")
    assert.strictEqual(through({ requireJsonField: "k" }, "null"), "drop")
  })

  it("the required value is compared as a string, and as a number if it is one", () => {
    const is = (value: string, text: string) =>
      through({ requireJsonField: "k", requireJsonValue: value }, text) === text
    assert.isTrue(is("5", "{\"k\":\"5\"}"))
    assert.isTrue(is("5", "{\"k\":5.0}"))
    assert.isTrue(is("5e0", "{\"k\":5}"))
    assert.isFalse(is("5", "{\"k\":\"5.0\"}"))
    assert.isFalse(is("five", "{\"k\":5}"))
    assert.isFalse(is("true", "{\"k\":true}"))
    assert.isFalse(is("null", "{\"k\":null}"))
    assert.isFalse(is("nan", "{\"k\":null}"))
    assert.strictEqual(through({ requireJsonField: "k", requireJsonValue: "5" }, "{}"), "missing")
  })

  it("bodies that are not JSON objects are reported", () => {
    for (const text of ["", "k", "[1]", "\"k\"", "12", "true", "{", "{\"k\":1}x", "\ufeff{}", "{\"k\":[1e400]}"]) {
      assert.strictEqual(kept(text, "k"), "undecodable", text)
    }
  })

  it("the listed keys are kept, in the order of their bytes", () => {
    assert.strictEqual(
      kept("{\"b\":1,\"a\":{\"z\":[1,null],\"y\":true},\"c\":2}", "b", "a", "a", "d"),
      "{\"a\":{\"y\":true,\"z\":[1,null]},\"b\":1}"
    )
    assert.strictEqual(kept("{\"\u{1f600}\":1,\"\uff00\":2}", "\u{1f600}", "\uff00"), "{\"\uff00\":2,\"\u{1f600}\":1}")
    assert.strictEqual(kept("{\"__proto__\":1}", "__proto__"), "{\"__proto__\":1}")
    assert.strictEqual(kept("{\"b\":1}", "a"), "{}")
    assert.strictEqual(kept("null", "a"), "{}")
  })

  it("numbers and strings are written as Go writes them", () => {
    const value = (text: string) => kept(`{"k":${text}}`, "k")?.slice("{\"k\":".length, -1)
    assert.strictEqual(value("1e3"), "1000")
    assert.strictEqual(value("2.50"), "2.5")
    assert.strictEqual(value("1234567890123456789"), "1234567890123456768")
    assert.strictEqual(value("12345678901234567890"), "12345678901234567000")
    assert.strictEqual(value("1e21"), "1e+21")
    assert.strictEqual(value("-0"), "0")
    assert.strictEqual(value("[-0]"), "[-0]")
    assert.strictEqual(value("\"<&>\u2028\""), "\"\\u003c\\u0026\\u003e\\u2028\"")
    assert.strictEqual(value("\"\\ud800\""), "\"\ufffd\"")
  })

  it("objects of any depth are accepted or reported without a crash", () => {
    const depth = 400_000
    assert.strictEqual(kept(`{"k":${"[".repeat(depth)}${"]".repeat(depth)}}`, "k"), "undecodable")
  })
})
