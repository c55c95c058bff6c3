/**
 * From the body of a publishing request to messages in the broker's layout, sizes before bodies, after checking every size.
 * Pure; which answer a refusal becomes is decided by `Publish`.
 *
 * Hot path: one pass and one copy, none at all for a binary body.
 */
import type { PublishedBodies } from "../../protocol/MessageBatch.ts"

/** Why a body is refused, in NSQ's codes. */
export type BodyRefusal = "MSG_TOO_BIG" | "BAD_BODY" | "BAD_MESSAGE"

/** The body as one message. It is copied, so that a waiting message keeps nothing but itself alive. */
export const single = (body: Buffer): PublishedBodies => {
  const { length } = body
  const bytes = Buffer.allocUnsafe(length + 4)
  bytes.writeInt32BE(length, 0)
  bytes.set(body, 4)
  return { bytes, start: 0, gap: 0, count: 1, bodyBytes: length }
}

const newline = 10

/** A message per line; empty lines are none. */
export const lines = (body: Buffer, maxMsgSize: number): PublishedBodies | BodyRefusal => {
  const bounds: Array<number> = []
  let bodyBytes = 0
  for (let start = 0; start < body.length;) {
    const found = body.indexOf(newline, start)
    const end = found < 0 ? body.length : found
    const size = end - start
    if (size > maxMsgSize) return "MSG_TOO_BIG"
    if (size > 0) {
      bounds.push(start, end)
      bodyBytes += size
    }
    start = end + 1
  }
  const count = bounds.length / 2
  const bytes = Buffer.allocUnsafe(bodyBytes + 4 * count)
  let at = 0
  for (let i = 0; i < bounds.length; i += 2) {
    const start = bounds[i]!
    const end = bounds[i + 1]!
    bytes.writeInt32BE(end - start, at)
    body.copy(bytes, at + 4, start, end)
    at += 4 + end - start
  }
  return { bytes, start: 0, gap: 0, count, bodyBytes }
}

/** Messages as in the TCP command MPUB: a count, then each with its size. What follows the last one is ignored. */
export const binary = (body: Buffer, maxMsgSize: number, maxBodySize: number): PublishedBodies | BodyRefusal => {
  if (body.length < 4) return "BAD_BODY"
  const count = body.readInt32BE(0)
  // The most messages that a body of the largest size can hold.
  if (count <= 0 || count > Math.floor((maxBodySize - 4) / 5)) return "BAD_BODY"
  let at = 4
  for (let i = 0; i < count; i++) {
    if (at + 4 > body.length) return "BAD_MESSAGE"
    const size = body.readInt32BE(at)
    if (size <= 0 || size > maxMsgSize) return "BAD_MESSAGE"
    at += 4 + size
    if (at > body.length) return "BAD_MESSAGE"
  }
  return { bytes: body, start: 4, gap: 0, count, bodyBytes: at - 4 - 4 * count }
}
