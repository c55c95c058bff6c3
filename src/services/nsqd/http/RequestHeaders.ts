/**
 * The headers of messages in a publishing request (docs/headers.md#http): `Nsq-Header-<name>`, and the trace context as HTTP has it.
 */
import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { dedupKeyHeader, encodePublishedHeaders, HeadersError } from "../../../protocol/client/Headers.ts"

const prefix = "nsq-header-"
const asGiven = new Set(["traceparent", "tracestate", dedupKeyHeader])

/** The name that a header of the request gives to a header of the messages; `undefined` if it is not one for them. */
const nameOf = (header: string): string | undefined => {
  const name = header.toLowerCase()
  if (asGiven.has(name)) return name
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined
}

/**
 * Returns the encoded headers for the messages of a request; `undefined` without any. `dedupKey` is the key in the query. Values are UTF-8, as most clients send them. A
 * header that occurs several times is joined with commas, as in HTTP.
 */
export const headersOf = (
  { rawHeaders }: IncomingMessage,
  dedupKey: string | undefined
): Buffer | HeadersError | undefined => {
  let found = dedupKey === undefined ? undefined : new Map([[dedupKeyHeader, dedupKey]])
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = nameOf(rawHeaders[i] ?? "")
    if (name === undefined) continue
    const bytes = Buffer.from(rawHeaders[i + 1] ?? "", "latin1")
    if (!isUtf8(bytes)) return new HeadersError({ reason: `the value of ${JSON.stringify(name)} is not valid UTF-8` })
    // A key in the query counts.
    if (name === dedupKeyHeader && dedupKey !== undefined) continue
    found ??= new Map()
    const before = found.get(name)
    const value = bytes.toString("utf8")
    found.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return found === undefined ? undefined : encodePublishedHeaders(Object.fromEntries(found))
}
