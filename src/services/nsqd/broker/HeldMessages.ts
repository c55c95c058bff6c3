/**
 * The messages of a log that are in flight to the consumers of a channel, by sequence. There may be a million: they are looked at in
 * steps, and nothing of a message is kept but its sequence.
 */
import { type MessageKey, messageKey } from "../../../protocol/client/Message.ts"
import { frameIdOffset, messageFrameHeaderSize } from "../../../protocol/client/MessageBatch.ts"
import { SequenceSet } from "../log/SequenceSet.ts"
import type { Channel } from "./Channel.ts"
import type { Subscription } from "./Subscription.ts"

/** A message in flight to a subscribed consumer. */
export interface Held {
  readonly subscription: Subscription
  readonly key: MessageKey
}

/** The key of the message at `position` of frames. */
export const keyAt = (frames: Buffer, position: number): MessageKey =>
  messageKey(frames.subarray(position + frameIdOffset, position + messageFrameHeaderSize))

/** The messages in flight as a set, with those of disconnected consumers. One that is in flight the whole time is in it. */
export function* heldSequences({ outstanding }: Channel): Generator<void, SequenceSet> {
  const held = new SequenceSet(0)
  yield* outstanding.eachInFlight((batch, position) => {
    const sequence = batch.sequenceAt(position)
    if (sequence !== undefined) held.add(sequence, sequence + 1)
  })
  return held
}

/** The message with this sequence; `undefined` if no subscribed consumer has it. */
export function* heldAt({ outstanding }: Channel, sequence: number): Generator<void, Held | undefined> {
  let found: Held | undefined
  const look = outstanding.eachInFlight((batch, position, subscription) => {
    if (subscription === undefined || batch.sequenceAt(position) !== sequence) return
    found = { subscription, key: keyAt(batch.frames, position) }
  })
  for (const _ of look) {
    if (found !== undefined) break
    yield
  }
  return found
}
