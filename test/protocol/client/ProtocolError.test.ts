import { assert, describe, it } from "@effect/vitest"
import { ErrorCode, protocolError } from "../../../src/protocol/client/ProtocolError.ts"

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
})
