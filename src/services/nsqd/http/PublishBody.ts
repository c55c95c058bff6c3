/**
 * Converts the body of a publishing request to messages in the broker's layout, each size before its body, and checks
 * all sizes. Pure; `Publish` maps refusals to responses.
 *
 * Hot path: one pass and one copy; no copy for a binary body.
 */
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"

/** Why a body is refused, in NSQ's codes. */
export type BodyRefusal = "MSG_TOO_BIG" | "BAD_BODY" | "BAD_MESSAGE"

/** The body as one message. Copied, so that a waiting message does not retain a larger buffer. */
export const single = (body: Buffer): PublishedBodies => {
  const { length } = body
  const bytes = Buffer.allocUnsafe(length + 4)
  bytes.writeInt32BE(length, 0)
  bytes.set(body, 4)
  return { bytes, start: 0, gap: 0, count: 1, bodyBytes: length }
}

const newline = 10

/** One message per line; empty lines are skipped. */
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

/** Bytes of a body per step: about 1 ms for short lines. */
const stepBytes = 256 * 1024

/** Whether `lines` may take longer than one step. */
export const hasManySteps = (body: Buffer): boolean => body.length > stepBytes

/** Up to this size a loop is faster than a native call. */
const nearBytes = 24

const lineEnd = (body: Buffer, start: number): number => {
  const near = Math.min(body.length, start + nearBytes)
  for (let i = start; i < near; i++) {
    if (body[i] === newline) return i
  }
  const found = body.indexOf(newline, near)
  return found < 0 ? body.length : found
}

const copyLine = (body: Buffer, start: number, end: number, bytes: Buffer, at: number): void => {
  if (end - start > nearBytes) body.copy(bytes, at, start, end)
  else for (let i = start; i < end; i++) bytes[at++] = body[i]!
}

/**
 * Like `lines`, in steps. Counts first and then copies, because growing a list of millions of lines would take too
 * long.
 */
export function* linesInSteps(body: Buffer, maxMsgSize: number): Generator<void, PublishedBodies | BodyRefusal, void> {
  let count = 0
  let bodyBytes = 0
  for (let start = 0; start < body.length; yield) {
    for (const stepEnd = Math.min(body.length, start + stepBytes); start < stepEnd;) {
      const end = lineEnd(body, start)
      const size = end - start
      if (size > maxMsgSize) return "MSG_TOO_BIG"
      if (size > 0) {
        count++
        bodyBytes += size
      }
      start = end + 1
    }
  }
  const bytes = Buffer.allocUnsafe(bodyBytes + 4 * count)
  let to = 0
  for (let start = 0; start < body.length; yield) {
    for (const stepEnd = Math.min(body.length, start + stepBytes); start < stepEnd;) {
      const end = lineEnd(body, start)
      if (end > start) {
        bytes.writeInt32BE(end - start, to)
        copyLine(body, start, end, bytes, to + 4)
        to += 4 + end - start
      }
      start = end + 1
    }
  }
  return { bytes, start: 0, gap: 0, count, bodyBytes }
}

/** Messages of a binary body per step. */
const stepMessages = 65_536

/**
 * Messages in the format of MPUB (docs/protocol/client.md#mpub). Bytes after the last message are ignored. A body of
 * ordinary size takes one step.
 */
export function* binary(
  body: Buffer,
  maxMsgSize: number,
  maxBodySize: number
): Generator<void, PublishedBodies | BodyRefusal, void> {
  if (body.length < 4) return "BAD_BODY"
  const count = body.readInt32BE(0)
  // The maximum number of messages in a body of the largest size.
  if (count <= 0 || count > Math.floor((maxBodySize - 4) / 5)) return "BAD_BODY"
  let at = 4
  for (let i = 0; i < count; i++) {
    if (at + 4 > body.length) return "BAD_MESSAGE"
    const size = body.readInt32BE(at)
    if (size <= 0 || size > maxMsgSize) return "BAD_MESSAGE"
    at += 4 + size
    if (at > body.length) return "BAD_MESSAGE"
    if (i % stepMessages === stepMessages - 1) yield
  }
  return { bytes: body, start: 4, gap: 0, count, bodyBytes: at - 4 - 4 * count }
}
