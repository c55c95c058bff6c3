/** Batches of messages for tests of the broker's parts. */
import { GuidGenerator } from "../../../../src/protocol/client/Guid.ts"
import { type MessageKey, messageKey } from "../../../../src/protocol/client/Message.ts"
import { frameIdOffset, MessageBatch, messageFrameHeaderSize } from "../../../../src/protocol/client/MessageBatch.ts"
import { joinBodies } from "../../../../src/services/nsqd/broker/Publisher.ts"

/** A source of batches with unique ids. */
export const batches = (generator = new GuidGenerator(1)) => (bodies: ReadonlyArray<string>, deferMillis = 0) =>
  MessageBatch.published(
    joinBodies(bodies.map((body) => Buffer.from(body))),
    1n,
    generator.take(1n, bodies.length),
    deferMillis
  )

/** The start of each message in a batch's frames. */
export const positionsOf = (batch: MessageBatch): ReadonlyArray<number> => {
  const positions: Array<number> = []
  for (let at = 0; positions.length < batch.count; at += batch.frames.readInt32BE(at) + 4) positions.push(at)
  return positions
}

export const keyAt = (batch: MessageBatch, position: number): MessageKey =>
  messageKey(batch.frames.subarray(position + frameIdOffset, position + messageFrameHeaderSize))

export const bodiesIn = (batch: MessageBatch): ReadonlyArray<string> =>
  positionsOf(batch).map((at) =>
    batch.frames.toString("utf8", at + messageFrameHeaderSize, at + 4 + batch.frames.readInt32BE(at))
  )
