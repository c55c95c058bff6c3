/**
 * Headers of messages as lines (docs/headers.md), each `name:value` and a line feed: what is valid, and their encoding. Reasons are
 * strings here; `Headers` makes them errors, whose Schemas a client does not load.
 */

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

/** The headers of a message by name, in lower case. */
export type Headers = Readonly<Record<string, string>>

/** A token of HTTP in lower case. */
export const namePattern = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** The code below which characters are for control, and that of DEL. */
const space = 0x20
const del = 0x7f

/** Why `value` is not the value of a header; `undefined` if it is. */
export const whyNotValue = (value: string): string | undefined => {
  if (!value.isWellFormed()) return "is not valid Unicode"
  if (value.trim() !== value) return "begins or ends with white space"
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code < space || code === del) return "has a control character"
  }
  return undefined
}

/** Why a header is not valid; `undefined` if it is. */
export const whyNot = (name: string, value: string): string | undefined => {
  if (!namePattern.test(name)) return `the name ${JSON.stringify(name)} is not a token of HTTP in lower case`
  const reason = whyNotValue(value)
  return reason === undefined ? undefined : `the value of ${JSON.stringify(name)} ${reason}`
}

/** Why headers of this size are not valid. */
export const whyTooLarge = (bytes: number): string => `${bytes} bytes are more than the maximum of ${maxHeadersBytes}`

/** Encodes headers, or returns why they are not valid; see `Headers.encodeHeaders`. */
export const encodeLines = (headers: Headers): Buffer | string => {
  const names = new Set<string>()
  let text = ""
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    const reason = whyNot(name, value)
    if (reason !== undefined) return reason
    if (names.has(name)) return `the name ${JSON.stringify(name)} occurs twice`
    names.add(name)
    text += `${name}:${value}\n`
  }
  const bytes = Buffer.from(text)
  return bytes.length > maxHeadersBytes ? whyTooLarge(bytes.length) : bytes
}

/** Returns why a publisher may not send these headers: the first one that only nsqd sets. */
export const whyOwn = (headers: Headers): string | undefined => {
  const name = Object.keys(headers).find((given) => isOwnHeader(given.toLowerCase()))
  return name === undefined ? undefined : `only nsqd sets ${JSON.stringify(name)}`
}

/** Encodes the headers of a publish, or returns why they are refused; see `Headers.encodePublishedHeaders`. */
export const encodePublishedLines = (headers: Headers): Buffer | string => whyOwn(headers) ?? encodeLines(headers)

/** The message of a `HeadersError` with this reason. */
export const invalidHeaders = (reason: string): string => `invalid headers: ${reason}`

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
  const start = valueStart(block, name)
  return start === undefined ? undefined : valueAt(block, start)
}

const lineFeed = 0x0a
const colon = 0x3a

/** Where the line after the one at `at` begins. */
const nextLine = (block: Uint8Array, at: number, end: number): number => {
  while (at < end && block[at] !== lineFeed) at++
  return at + 1
}

/**
 * Returns where the value of one header begins, whose name is in lower case, in the headers from `from` up to, but not including, `end`;
 * `undefined` if it is missing. Hot path: called for every delivery of a message with headers, without a string for each line.
 */
export const valueStart = (
  block: Uint8Array,
  name: string,
  from = 0,
  end = block.length
): number | undefined => {
  for (let at = from; at < end; at = nextLine(block, at, end)) {
    let same = 0
    while (same < name.length && block[at + same] === name.charCodeAt(same)) same++
    if (same === name.length && block[at + same] === colon) return at + same + 1
  }
  return undefined
}

/** The value that begins at `start`, to the end of its line. */
export const valueAt = (block: Buffer, start: number): string =>
  block.toString("utf8", start, nextLine(block, start, block.length) - 1)

const none: Headers = Object.freeze({})

/** Returns the lines of encoded headers. */
export const textOf = (block: Uint8Array): string =>
  Buffer.from(block.buffer, block.byteOffset, block.length).toString("utf8")
