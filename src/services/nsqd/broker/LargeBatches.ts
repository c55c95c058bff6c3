/**
 * Publishes very large batches in pieces, with turns for other connections in between. A topic lays out a batch,
 * hands it to its channels and writes it to disk in one step, which would take most of a second for a million
 * messages.
 *
 * As in NSQ, a publish that fails in the middle has been accepted in part.
 */
import { Effect } from "effect"
import { headersPart, type PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import type { Completion } from "../../core/Completion.ts"
import type { Turns } from "../../core/Turns.ts"
import { type BrokerError, brokerError } from "./BrokerError.ts"

/** Accepts messages; see `Topic.put`. */
export type Put = (bodies: PublishedBodies, deferMillis: number) => Completion<BrokerError>

/** Messages per piece: laying them out takes about 2 ms. */
const pieceMessagesMax = 16_384
/** Bytes of bodies per piece, unless it is a single message. */
const pieceBytesMax = 1024 * 1024

/** The messages of `bodies` from number `first`, at position `at`, and the start of the next piece. */
const pieceAt = (bodies: PublishedBodies, at: number, first: number) => {
  const { bytes, gap, headers } = bodies
  const left = bodies.count - first
  const most = Math.min(left, pieceMessagesMax)
  let count = 0
  let bodyBytes = 0
  let next = at
  while (count < most) {
    const size = bytes.readInt32BE(next)
    if (count > 0 && bodyBytes + size > pieceBytesMax) break
    count++
    bodyBytes += size
    next += 4 + size + gap
  }
  const plain: PublishedBodies = { bytes, start: at, gap, count, bodyBytes }
  const piece = headers === undefined ? plain : { ...plain, headers: headersPart(headers, first, first + count) }
  return { piece, next }
}

/** Like `topic.put`, for any number of messages. */
export const put = (
  turns: Turns,
  topic: { readonly put: Put },
  bodies: PublishedBodies,
  deferMillis: number
): Completion<BrokerError> =>
  bodies.count === 1 || (bodies.count <= pieceMessagesMax && bodies.bodyBytes <= pieceBytesMax)
    ? topic.put(bodies, deferMillis)
    : putPieces(turns, topic, bodies, deferMillis)

const putPieces = Effect.fnUntraced(function*(
  turns: Turns,
  topic: { readonly put: Put },
  bodies: PublishedBodies,
  deferMillis: number
): Effect.fn.Return<void, BrokerError> {
  let accepted = 0
  for (let at = bodies.start; accepted < bodies.count;) {
    const { next, piece } = pieceAt(bodies, at, accepted)
    const before = accepted
    const rest = topic.put(piece, deferMillis)
    if (rest !== undefined) {
      yield* Effect.mapError(rest, ({ accepted, reason }) => brokerError(reason, before + accepted))
    }
    accepted += piece.count
    at = next
    if (turns.isOver()) yield* turns.next
  }
})
