import { assert, describe, it } from "@effect/vitest"
import type { TailMessage } from "../../src/protocol/http/admin/AdminLive.ts"
import * as Body from "../../src/web/messages/body.ts"
import * as TailState from "../../src/web/messages/tailState.ts"

const bytes = (text: string) => Body.bytesOf(Buffer.from(text, "latin1").toString("base64"))

describe("body", () => {
  it("a body is shown as JSON if it is JSON, and as text otherwise", () => {
    assert.deepStrictEqual(Body.show(bytes("{\"a\":[1]}"), "json"), {
      view: "json",
      text: "{\n  \"a\": [\n    1\n  ]\n}"
    })
    assert.deepStrictEqual(Body.show(bytes("<script>"), "json"), { view: "text", text: "<script>" })
    assert.deepStrictEqual(Body.show(bytes("{\"a\":1}"), "text"), { view: "text", text: "{\"a\":1}" })
  })

  it("JSON is laid out as JSON.stringify does, and its numbers and names stay as they are written", () => {
    const jsonOf = (text: string) => Body.show(bytes(text), "json")
    for (
      const text of [
        "{ \"a\":[ ] ,\"b\" : { },\"c\":[1,[true,null,\"x, y: {\\\"}\\\\\"],{\"d\":-1.5e3}]}",
        "[]",
        " {} ",
        "\"\\u0041\\/\"",
        "[\"\"]"
      ]
    ) {
      const expected = JSON.stringify(JSON.parse(text), null, 2).replace("-1500", "-1.5e3")
      assert.deepStrictEqual(jsonOf(text), { view: "json", text: expected })
    }
    assert.strictEqual(
      jsonOf("{\"id\":1234567890123456789,\"price\":1.50,\"far\":1e400,\"a\":1,\"a\":2}").text,
      "{\n  \"id\": 1234567890123456789,\n  \"price\": 1.50,\n  \"far\": 1e400,\n  \"a\": 1,\n  \"a\": 2\n}"
    )
    assert.strictEqual(jsonOf(`${"[".repeat(200)}${"]".repeat(200)}`).view, "text")
  })

  it("a body is shown as hex on request, and if it is not UTF-8", () => {
    const text = "00000000  00 ff 41 0a                                      ..A."
    assert.deepStrictEqual(Body.show(bytes("\x00\xffA\n"), "json"), { view: "hex", text })
    assert.deepStrictEqual(Body.show(bytes("\x00\xffA\n"), "hex"), { view: "hex", text })
    assert.lengthOf(Body.hex(bytes("x".repeat(33))).split("\n"), 3)
  })
})

const message = (id: string): TailMessage => ({
  _tag: "Message",
  id,
  at: 0,
  attempts: 1,
  node: "a:1",
  body: "",
  size: 0
})

describe("tailState", () => {
  it("a tail shows the newest messages first and drops old ones", () => {
    let state = TailState.next(TailState.initial, { _tag: "Tailing", channel: "c", nodes: ["a:1"] })
    for (let i = 0; i < TailState.maxShown + 5; i++) state = TailState.next(state, message(String(i)))
    assert.strictEqual(state.channel, "c")
    assert.lengthOf(state.messages, TailState.maxShown)
    assert.strictEqual(state.messages[0]?.id, "104")
    assert.strictEqual(state.messages.at(-1)?.id, "5")
  })

  it("a tail counts skipped messages", () => {
    const skipped = TailState.next(TailState.next(TailState.initial, { _tag: "Skipped", count: 3 }), {
      _tag: "Skipped",
      count: 4
    })
    assert.strictEqual(skipped.skipped, 7)
    assert.strictEqual(TailState.next(skipped, { _tag: "Idle" }), skipped)
  })
})
