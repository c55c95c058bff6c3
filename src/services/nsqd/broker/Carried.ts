/**
 * The messages that exist in memory only while the queue of a topic is replaced by one of another durability.
 */
import { MessageBatch, type StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import type { ChannelName } from "../../../protocol/client/Names.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Span } from "./MemoryQueue.ts"

/** A deferred message. */
export interface DeferredMessage {
  /** The message alone. */
  readonly batch: MessageBatch
  /** When it is due, in ms since the Unix epoch. */
  readonly due: number
}

/** The messages of a topic or a channel that its closed queue does not have. */
export interface Carried {
  readonly waiting: ReadonlyArray<MessageBatch>
  readonly deferred: ReadonlyArray<DeferredMessage>
  /** Why `waiting` could not be stored, although the queue is on disk. */
  readonly failure?: StorageError
}

export const nothing: Carried = { waiting: [], deferred: [] }

/** What a new queue of a topic takes over from the one before. */
export interface Handover {
  /** The channels of the topic. */
  readonly channels: ReadonlyArray<ChannelName>
  readonly carried: ReadonlyMap<string, Carried>
  /** The messages of the topic itself. */
  readonly own: Carried
}

/** Nothing was carried: the topic is opened with these channels. */
export const opening = (channels: ReadonlyArray<ChannelName>): Handover => ({
  channels,
  carried: new Map(),
  own: nothing
})

/** Returns the messages of a span as a batch of their own, with their headers. */
export const batchOf = ({ batch, end, index, position }: Span): MessageBatch => {
  if (!batch.hasHeaders) return MessageBatch.stored(batch.encodeRecords(index, end, position))
  const { frames } = batch
  let to = position
  for (let i = index; i < end; i++) to += frames.readInt32BE(to) + 4
  return MessageBatch.ofFrames(Buffer.from(frames.subarray(position, to)), end - index, undefined, true)
}

/** Whether a disk queue would remove headers of the messages. */
export const losesHeaders = ({ batch }: Span): boolean => batch.hasHeaders && !batch.isOnDisk

/** Returns the only message of `records`, with a delay that begins when it reaches a channel. */
export const delayed = (records: StoredRecords, delayMillis: number): MessageBatch =>
  MessageBatch.stored(records, undefined, Math.max(1, Math.ceil(delayMillis)))
