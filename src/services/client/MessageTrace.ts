/** The trace context in the headers of a message (docs/headers.md#trace-context), as W3C defines it. */
import { Tracer } from "effect"
import type { Headers } from "../../protocol/client/Headers.ts"

const traceparent = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** Returns the span in the headers of a message; `undefined` without a valid `traceparent`. */
export const spanOf = (headers: Headers): Tracer.ExternalSpan | undefined => {
  const [, traceId, spanId, flags = "00"] = traceparent.exec(headers["traceparent"] ?? "") ?? []
  if (traceId === undefined || spanId === undefined) return undefined
  return Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}
