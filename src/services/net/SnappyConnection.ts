/**
 * A connection inside another one, in the Snappy framing format in both directions. Every write becomes chunks at once, so a
 * flush of the inner connection flushes complete chunks. `SnappyCodecs` has the compression and the checksum.
 */
import { Effect, Result } from "effect"
import { type SnappyCodec, SnappyDecoder, SnappyEncoder } from "../../protocol/client/SnappyFraming.ts"
import type { Turns } from "../core/Turns.ts"
import { connectionLoss } from "./NetError.ts"
import type { Connection } from "./Transport.ts"

/** After this many bytes without content, as in skippable chunks, the connection checks whether its turn is over. */
const fruitlessBytesMax = 256 * 1024

/** Returns a connection that compresses output to `inner` and decompresses input from it. Invalid input is `ConnectionLoss`. */
export const make = (inner: Connection, codec: SnappyCodec, turns: Turns): Connection => {
  const encoder = new SnappyEncoder(codec)
  const decoder = new SnappyDecoder(codec)
  /** Whether input that has arrived waits for its turn. */
  let waits = false
  let fruitlessBytes = 0

  const refill: Connection["read"] = Effect.flatMap(inner.read, (bytes) => {
    if (bytes !== undefined) {
      decoder.feed(bytes)
      fruitlessBytes += bytes.length
      if (fruitlessBytes < fruitlessBytesMax) return read
      fruitlessBytes = 0
      if (!turns.isOver()) return read
      waits = true
      return Effect.ensuring(turns.next, Effect.sync(() => (waits = false))).pipe(Effect.andThen(read))
    }
    return decoder.atBoundary
      ? Effect.undefined
      : Effect.fail(connectionLoss("snappy: the stream ends in the middle of a chunk"))
  })

  const read: Connection["read"] = Effect.suspend(() => {
    const next = decoder.next()
    if (Result.isFailure(next)) return Effect.fail(connectionLoss(next.failure.message))
    if (next.success === undefined) return refill
    fruitlessBytes = 0
    return Effect.succeed(next.success)
  })

  return {
    remoteAddress: inner.remoteAddress,
    read,
    isDecoding: () => waits,
    write: (bytes) => {
      inner.write(encoder.encode(bytes))
      return true
    },
    cork: () => inner.cork(),
    uncork: () => inner.uncork(),
    pendingBytes: () => inner.pendingBytes(),
    takenBytes: () => inner.takenBytes(),
    drained: inner.drained
  }
}
