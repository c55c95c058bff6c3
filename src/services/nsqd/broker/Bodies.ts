/**
 * The bodies of a publish: whether they are one unit, parts of them, and bodies of a program.
 */
import { headersPart, type PublishedBodies } from "../../../protocol/client/MessageBatch.ts"

/**
 * Whether the bodies are PUBs of their own that arrived together, rather than one unit that is accepted as a whole or not at all:
 * between the bodies of PUBs lie their command lines.
 *
 * @since 0.2.0
 * @category predicates
 */
export const areIndependent = ({ count, gap }: PublishedBodies): boolean => count > 1 && gap > 0

/** How many messages are refused if `accepted` are not. The PUBs behind a refused one follow in another call. */
export const refusedOf = (bodies: PublishedBodies, accepted: number): number =>
  areIndependent(bodies) ? Math.min(1, bodies.count - accepted) : bodies.count - accepted

/**
 * Returns the bodies as views, in order.
 *
 * @since 0.2.0
 * @category conversions
 */
export const bodiesOf = (bodies: PublishedBodies): ReadonlyArray<Buffer> => {
  const views: Array<Buffer> = []
  let at = bodies.start
  for (let i = 0; i < bodies.count; i++) {
    const size = bodies.bytes.readInt32BE(at)
    views.push(bodies.bytes.subarray(at + 4, at + 4 + size))
    at += 4 + size + bodies.gap
  }
  return views
}

/**
 * Returns the bodies from number `first`, counted from 0, to `end`, which is excluded. They share the memory of all.
 *
 * @since 0.2.0
 * @category operations
 */
export const partOf = (bodies: PublishedBodies, first: number, end: number): PublishedBodies => {
  const { bytes, gap, headers } = bodies
  let start = bodies.start
  for (let i = 0; i < first; i++) start += 4 + bytes.readInt32BE(start) + gap
  let bodyBytes = 0
  for (let i = first, at = start; i < end; i++) {
    const size = bytes.readInt32BE(at)
    bodyBytes += size
    at += 4 + size + gap
  }
  const part: PublishedBodies = { bytes, start, gap, count: end - first, bodyBytes }
  return headers === undefined ? part : { ...part, headers: headersPart(headers, first, end) }
}

/**
 * Joins a program's own bodies to one unit. `headers` are the encoded headers of all messages, or one block for each. Default: no
 * headers.
 *
 * @since 0.2.0
 * @category conversions
 */
export const joinBodies = (
  bodies: ReadonlyArray<Uint8Array>,
  headers?: Buffer | ReadonlyArray<Buffer>
): PublishedBodies => {
  const bodyBytes = bodies.reduce((sum, body) => sum + body.length, 0)
  const bytes = Buffer.allocUnsafe(bodyBytes + 4 * bodies.length)
  let at = 0
  for (const body of bodies) {
    bytes.writeInt32BE(body.length, at)
    bytes.set(body, at + 4)
    at += 4 + body.length
  }
  const joined: PublishedBodies = { bytes, start: 0, gap: 0, count: bodies.length, bodyBytes }
  return headers === undefined || headers.length === 0 ? joined : { ...joined, headers }
}
