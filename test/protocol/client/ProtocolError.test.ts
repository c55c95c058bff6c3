import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, parseErrorCode, protocolError } from "../../../src/protocol/client/ProtocolError.ts"

const survivable = new Set(["E_FIN_FAILED", "E_REQ_FAILED", "E_TOUCH_FAILED"])

describe("wire errors", () => {
  for (const code of ErrorCode.literals) {
    it(`${code} ${survivable.has(code) ? "leaves the connection open" : "ends the connection"}`, () => {
      assert.strictEqual(protocolError(code, "").fatal, !survivable.has(code))
    })
  }
  it("a wire error is the code, a space and the description", () => {
    assert.strictEqual(protocolError("E_INVALID", "invalid command FOO").message, "E_INVALID invalid command FOO")
    assert.strictEqual(protocolError("E_BAD_PROTOCOL", "").message, "E_BAD_PROTOCOL")
  })
  it("the code of an error frame is its first word, if it is one of NSQ's codes", () => {
    assert.strictEqual(parseErrorCode("E_FIN_FAILED FIN 0123456789abcdef failed ID not in flight"), "E_FIN_FAILED")
    assert.strictEqual(parseErrorCode("E_BAD_PROTOCOL"), "E_BAD_PROTOCOL")
    for (const text of ["", "E_", "E_FIN_FAILEDX", " E_INVALID", "OK"]) assert.isUndefined(parseErrorCode(text), text)
  })
})
