/**
 * Headers of messages (docs/headers.md): names and values beside the body. Encoded, they are lines of `name:value` that each end with
 * a line feed, which any language reads and writes without a library. The codec checks what comes from clients; the broker carries
 * the encoded block.
 */
import { Schema } from "effect"
import { isUtf8 } from "node:buffer"
import {
  encodeLines,
  invalidHeaders,
  maxHeadersBytes,
  namePattern,
  textOf,
  whyNot,
  whyNotValue,
  whyOwn,
  whyTooLarge
} from "./HeaderLines.ts"

export { dedupKeyHeader, headerValue, isOwnHeader, maxHeadersBytes, noHeaders, readHeaders } from "./HeaderLines.ts"

/**
 * The headers of a message are not valid: a name, a value or their size.
 *
 * @since 0.2.0
 * @category errors
 */
export class HeadersError extends Schema.TaggedError<HeadersError>()("HeadersError", {
  reason: Schema.String
}) {
  override get message(): string {
    return invalidHeaders(this.reason)
  }
}

const invalid = (reason: string): HeadersError => new HeadersError({ reason })

/**
 * The headers of a message by name, in lower case.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Headers = Schema.Record(
  Schema.String.check(Schema.isPattern(namePattern)),
  Schema.String.check(Schema.makeFilter((value: string) => whyNotValue(value)))
)
/** The headers of a message by name, in lower case. */
export type Headers = Readonly<Record<string, string>>

const tooLarge = (bytes: number): HeadersError => invalid(whyTooLarge(bytes))

/**
 * Encodes headers. Names become lower case. Returns a `HeadersError` if a name is not a token of HTTP or occurs twice, if a value has
 * control characters or white space at its ends, or if the result is larger than `maxHeadersBytes`.
 *
 * @since 0.2.0
 * @category codecs
 */
export const encodeHeaders = (headers: Headers): Buffer | HeadersError => {
  const lines = encodeLines(headers)
  return typeof lines === "string" ? invalid(lines) : lines
}

/**
 * Decodes and checks the headers of a client. Returns a `HeadersError` where `encodeHeaders` does, and for names in upper case.
 *
 * @since 0.2.0
 * @category codecs
 */
export const decodeHeaders = (block: Uint8Array): Headers | HeadersError => {
  if (block.length > maxHeadersBytes) return tooLarge(block.length)
  if (!isUtf8(block)) return invalid("they are not valid UTF-8")
  const lines = textOf(block).split("\n")
  if (lines.pop() !== "") return invalid("the last line has no end")
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (colon < 0) return invalid(`the line ${JSON.stringify(line)} has no colon`)
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1)
    const reason = whyNot(name, value)
    if (reason !== undefined) return invalid(reason)
    if (headers.has(name)) return invalid(`the name ${JSON.stringify(name)} occurs twice`)
    headers.set(name, value)
  }
  return Object.fromEntries(headers)
}

/**
 * Returns why a publisher may not send these headers: a `HeadersError` for the first one that only nsqd sets; `undefined` if there is
 * none.
 *
 * @since 0.2.0
 * @category codecs
 */
export const refuseOwnHeaders = (headers: Headers): HeadersError | undefined => {
  const reason = whyOwn(headers)
  return reason === undefined ? undefined : invalid(reason)
}

/**
 * Encodes the headers of a publish. Returns a `HeadersError` where `encodeHeaders` does, and for headers that only nsqd sets.
 *
 * @since 0.2.0
 * @category codecs
 */
export const encodePublishedHeaders = (headers: Headers): Buffer | HeadersError =>
  refuseOwnHeaders(headers) ?? encodeHeaders(headers)
