import { assert, describe, it } from "@effect/vitest"
import { IncomingMessage } from "node:http"
import { Socket } from "node:net"
import * as TraceContext from "../../../src/services/http/TraceContext.ts"

const parentOf = (traceparent: string | undefined) => {
  const incoming = new IncomingMessage(new Socket())
  if (traceparent !== undefined) incoming.headers["traceparent"] = traceparent
  return TraceContext.parentOf(incoming)
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"

describe("the client's span", () => {
  it("the client's span comes from the traceparent header of any version", () => {
    const parent = parentOf(`00-${traceId}-${spanId}-01`)
    assert.strictEqual(parent?.traceId, traceId)
    assert.strictEqual(parent?.spanId, spanId)
    assert.isTrue(parent?.sampled)
    assert.isFalse(parentOf(`00-${traceId}-${spanId}-00`)?.sampled)
    assert.strictEqual(parentOf(`cc-${traceId}-${spanId}-01-more`)?.spanId, spanId)
  })

  it("a missing or invalid traceparent header gives no span", () => {
    const headers = [
      undefined,
      "",
      "nonsense",
      `00-${traceId}-${spanId}`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId}-${spanId}-01x`
    ]
    for (const header of headers) assert.isUndefined(parentOf(header))
  })
})
