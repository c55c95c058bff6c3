/**
 * What follows the command line of HPUB (docs/protocol/client.md#hpub): a size and the encoded headers, then a size and the body as in
 * PUB. Pure; `CommandDecoder` finds the line.
 */
import { type Malformed, malformed } from "./Decoded.ts"
import { valueStart } from "./HeaderLines.ts"
import { decodeHeaders, dedupKeyHeader, HeadersError, maxHeadersBytes, refuseOwnHeaders } from "./Headers.ts"
import { keyStart, noKey, notPlain } from "./PlainHeaders.ts"

/** Where the headers, which have been checked, begin; where they end and the body's size begins; and where the body ends. */
export interface HeadersAndBody {
  readonly _tag: "HeadersAndBody"
  readonly headersStart: number
  /** Where the key begins in the headers. */
  readonly dedupKeyStart: number | undefined
  readonly start: number
  readonly end: number
}

const bad = (text: string): Malformed => malformed("HPUB", "E_BAD_MESSAGE", `HPUB ${text}`)

/** Reads them at `at`. Returns the least number of bytes that are missing if they have not arrived before `end`. */
export const readHeadersAndBody = (
  buffer: Buffer,
  at: number,
  end: number,
  maxMsgSize: number
): HeadersAndBody | Malformed | number => {
  if (end - at < 4) return at + 4 - end
  const headersSize = buffer.readInt32BE(at)
  if (headersSize < 0) return bad(`invalid headers size ${headersSize}`)
  if (headersSize > maxHeadersBytes) return bad(`headers too big ${headersSize} > ${maxHeadersBytes}`)
  const start = at + 4 + headersSize
  if (end < start + 4) return start + 4 - end
  const size = buffer.readInt32BE(start)
  if (size <= 0) return bad(`invalid message body size ${size}`)
  if (size > maxMsgSize) return bad(`message too big ${size} > ${maxMsgSize}`)
  const bodyEnd = start + 4 + size
  if (end < bodyEnd) return bodyEnd - end
  const headersStart = at + 4
  const key = keyStart(buffer, headersStart, start)
  if (key !== notPlain) {
    const dedupKeyStart = key === noKey ? undefined : key - headersStart
    return { _tag: "HeadersAndBody", headersStart, dedupKeyStart, start, end: bodyEnd }
  }
  const headers = buffer.subarray(headersStart, start)
  const decoded = decodeHeaders(headers)
  if (decoded instanceof HeadersError) return bad(decoded.message)
  const refused = refuseOwnHeaders(decoded)
  if (refused !== undefined) return bad(refused.message)
  const dedupKeyStart = valueStart(headers, dedupKeyHeader)
  return { _tag: "HeadersAndBody", headersStart, dedupKeyStart, start, end: bodyEnd }
}
