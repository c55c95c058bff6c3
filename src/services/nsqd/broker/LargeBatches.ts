/**
 * Publishes that hold very many messages or bytes reach their topic in pieces, between which other connections have their
 * turn. A topic lays messages out, gives them to its channels and writes them to disk a batch at a time: a batch of a million
 * messages would take it most of a second.
 *
 * As in NSQ, a publish that fails in the middle has been accepted in part.
 */
import { Effect } from "effect"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import type { Completion } from "../../core/Completion.ts"
import type { Turns } from "../../core/Turns.ts"
import { PublishError } from "./BrokerError.ts"
import type { Topic } from "./Topic.ts"

/** Messages in one piece: laying them out takes about 2 ms. */
const pieceMessagesMax = 16_384
/** Bytes of bodies in one piece, where it has more than one message. */
const pieceBytesMax = 1024 * 1024

/** The first messages of `bodies`, from the size at `at`, and where the next one starts. */
const pieceAt = (bodies: PublishedBodies, at: number, left: number) => {
  const { bytes, gap } = bodies
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
  const piece: PublishedBodies = { bytes, start: at, gap, count, bodyBytes }
  return { piece, next }
}

/** Like `Topic.put`: `undefined` when all messages are taken, otherwise the Effect that completes once they are. */
export const put = (
  turns: Turns,
  topic: Topic,
  bodies: PublishedBodies,
  deferMillis: number
): Completion<PublishError> =>
  bodies.count === 1 || (bodies.count <= pieceMessagesMax && bodies.bodyBytes <= pieceBytesMax)
    ? topic.put(bodies, deferMillis)
    : putPieces(turns, topic, bodies, deferMillis)

const putPieces = Effect.fnUntraced(function*(
  turns: Turns,
  topic: Topic,
  bodies: PublishedBodies,
  deferMillis: number
): Effect.fn.Return<void, PublishError> {
  let accepted = 0
  for (let at = bodies.start; accepted < bodies.count;) {
    const { next, piece } = pieceAt(bodies, at, bodies.count - accepted)
    const before = accepted
    const rest = topic.put(piece, deferMillis)
    if (rest !== undefined) {
      yield* Effect.mapError(
        rest,
        ({ accepted, kind, reason }) => new PublishError({ kind, reason, accepted: before + accepted })
      )
    }
    accepted += piece.count
    at = next
    if (turns.isOver()) yield* turns.next
  }
})
