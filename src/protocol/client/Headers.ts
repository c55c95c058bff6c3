/**
 * Headers of messages (docs/headers.md): names and values beside the body. Encoded, they are lines of `name:value` that each end with
 * a line feed, which any language reads and writes without a library. The codec checks what comes from clients; the broker carries
 * the encoded block.
 */
import { Schema } from "effect"
import { isUtf8 } from "node:buffer"

/**
 * The maximum size of the encoded headers of a message, in bytes.
 *
 * @since 0.2.0
 * @category constants
 */
export const maxHeadersBytes = 8192

/**
 * The header with the key by which nsqd recognizes the same publish (docs/headers.md#de-duplication).
 *
 * @since 0.2.0
 * @category constants
 */
export const dedupKeyHeader = "nsq-dedup-key"

/** Those that only nsqd sets: the origin of a dead letter, and the number of its redrives. */
const ownPrefix = "nsq-origin-"
const ownNames: ReadonlySet<string> = new Set(["nsq-dead-reason", "nsq-redriven"])

/**
 * Whether a header, by its name in lower case, is one that only nsqd sets: `nsq-origin-*`, `nsq-dead-reason` and `nsq-redriven`
 * (docs/policies.md#dead-letters).
 *
 * @since 0.2.0
 * @category predicates
 */
export const isOwnHeader = (name: string): boolean => name.startsWith(ownPrefix) || ownNames.has(name)

/**
 * The encoded form of no headers.
 *
 * @since 0.2.0
 * @category constants
 */
export const noHeaders = Buffer.alloc(0)

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
    return `invalid headers: ${this.reason}`
  }
}

const invalid = (reason: string): HeadersError => new HeadersError({ reason })

/** A token of HTTP in lower case. */
const namePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** The code below which characters are for control, and that of DEL. */
const space = 0x20
const del = 0x7f

/** Why `value` is not the value of a header; `undefined` if it is. */
const whyNotValue = (value: string): string | undefined => {
  if (!value.isWellFormed()) return "is not valid Unicode"
  if (value.trim() !== value) return "begins or ends with white space"
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < space || code === del) return "has a control character"
  }
  return undefined
}

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

const whyNot = (name: string, value: string): string | undefined => {
  if (!namePattern.test(name)) return `the name ${JSON.stringify(name)} is not a token of HTTP in lower case`
  const reason = whyNotValue(value)
  return reason === undefined ? undefined : `the value of ${JSON.stringify(name)} ${reason}`
}

const tooLarge = (bytes: number): HeadersError =>
  invalid(`${bytes} bytes are more than the maximum of ${maxHeadersBytes}`)

/**
 * Encodes headers. Names become lower case. Returns a `HeadersError` if a name is not a token of HTTP or occurs twice, if a value has
 * control characters or white space at its ends, or if the result is larger than `maxHeadersBytes`.
 *
 * @since 0.2.0
 * @category codecs
 */
export const encodeHeaders = (headers: Headers): Buffer | HeadersError => {
  const names = new Set<string>()
  let text = ""
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    const reason = whyNot(name, value)
    if (reason !== undefined) return invalid(reason)
    if (names.has(name)) return invalid(`the name ${JSON.stringify(name)} occurs twice`)
    names.add(name)
    text += `${name}:${value}\n`
  }
  const bytes = Buffer.from(text)
  return bytes.length > maxHeadersBytes ? tooLarge(bytes.length) : bytes
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
  const name = Object.keys(headers).find((given) => isOwnHeader(given.toLowerCase()))
  return name === undefined ? undefined : invalid(`only nsqd sets ${JSON.stringify(name)}`)
}

/**
 * Encodes the headers of a publish. Returns a `HeadersError` where `encodeHeaders` does, and for headers that only nsqd sets.
 *
 * @since 0.2.0
 * @category codecs
 */
export const encodePublishedHeaders = (headers: Headers): Buffer | HeadersError =>
  refuseOwnHeaders(headers) ?? encodeHeaders(headers)

/**
 * Decodes headers that were checked before. Lines without a colon are left out.
 *
 * @since 0.2.0
 * @category codecs
 */
export const readHeaders = (block: Uint8Array): Headers =>
  block.length === 0 ? none : Object.fromEntries(
    textOf(block).split("\n").flatMap((line) => {
      const colon = line.indexOf(":")
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]]
    })
  )

/**
 * Returns the value of one header, whose name is in lower case, without decoding the others; `undefined` if it is missing.
 *
 * @since 0.2.0
 * @category codecs
 */
export const headerValue = (block: Buffer, name: string): string | undefined => {
  const start = `${name}:`
  let at = 0
  while (at < block.length) {
    const end = block.indexOf(0x0a, at)
    const stop = end < 0 ? block.length : end
    if (block.toString("latin1", at, at + start.length) === start) {
      return block.toString("utf8", at + start.length, stop)
    }
    at = stop + 1
  }
  return undefined
}

const none: Headers = Object.freeze({})

const textOf = (block: Uint8Array): string => Buffer.from(block.buffer, block.byteOffset, block.length).toString("utf8")
