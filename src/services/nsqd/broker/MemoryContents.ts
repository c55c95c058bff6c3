/**
 * The messages of a topic without a log, or of one of its channels, as they are looked at one by one: in memory, and in the files of the
 * disk queue; and changes of single ones. Nothing is kept for this without a request.
 */
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { frameAttempts, frameIdOffset, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { MemoryPlaces } from "./Backlog.ts"
import type { Consumption } from "./Consumption.ts"
import type { MemoryQueue, Span } from "./MemoryQueue.ts"
import type { Subscription } from "./Subscription.ts"

/** Messages that are looked at per step, and bytes of frames that may have to be laid out for it. */
const messagesPerStep = 512
const bytesPerStep = 64 * 1024

/** All messages of a topic or a channel. */
export interface MemoryContents {
  readonly places: MemoryPlaces
  /**
   * Calls `each` for every message in flight, and for those on their way to the dead-letter topic, which no consumer holds, in steps. One
   * that stays may come twice, and one that comes or leaves meanwhile may be missing.
   */
  readonly eachInFlight: (
    each: (batch: MessageBatch, position: number, attempts: number, holder: Subscription | undefined) => void
  ) => Generator<void, void>
}

/** The deliveries so far of a message that is not in flight: the attempts of its frame include the next one. */
export const pastAttempts = (frames: Buffer, position: number): number => (frameAttempts(frames, position) - 1) & 0xffff

/** Returns the messages of a topic, none of which is in flight. */
export const topicContents = (places: MemoryPlaces): MemoryContents => ({ places, *eachInFlight() {} })

/** Whether the message at `position` has this id. */
export const hasKey = (frames: Buffer, position: number, { a, b, c, d }: MessageKey): boolean => {
  const at = position + frameIdOffset
  return frames.readInt32BE(at + 12) === d && frames.readInt32BE(at + 8) === c && frames.readInt32BE(at + 4) === b &&
    frames.readInt32BE(at) === a
}

/** Where a message waits in memory. */
export interface WaitingPlace {
  readonly queue: MemoryQueue
  readonly span: Span
  readonly index: number
  readonly position: number
}

/** Calls `each` for every message that waits in memory when it begins, unless it leaves meanwhile. */
export function* eachWaiting(
  { queues }: MemoryPlaces,
  each: (frames: Buffer, position: number, index: number, span: Span, queue: MemoryQueue) => void
): Generator<void, void> {
  let steps = 0
  for (const [queue, spans] of queues.map((queue) => [queue, queue.waiting] as const)) {
    for (const span of spans) {
      // Emptied since.
      if (span.index >= span.end) continue
      const { frames } = span.batch
      let at = span.position
      for (let index = span.index; index < span.end; index++) {
        each(frames, at, index, span, queue)
        at += frames.readInt32BE(at) + 4
        if (++steps % messagesPerStep === 0) yield
      }
      if (frames.length >= bytesPerStep) yield
    }
  }
}

/** The messages of a channel. */
export interface ChannelContents extends MemoryContents {
  /** Finishes a message in flight, or on its way to the dead-letter topic; false if there is none with this id. */
  readonly finish: (key: MessageKey) => boolean
  /** Takes the message with this id from its consumer, so that it waits again; false if no consumer has it. */
  readonly requeue: (key: MessageKey) => boolean
  /** Finishes a message that waits in memory; false if it has left. */
  readonly dropWaiting: (place: WaitingPlace) => boolean
  /** Takes a deferred message, named as by `DeferredQueue`; `undefined` if it has left. */
  readonly takeDeferred: (entry: number) => MessageBatch | undefined
  /** Lets a message wait that was taken. */
  readonly enqueue: (batch: MessageBatch) => void
}

/** Returns the messages of a channel; `undefined` if its topic has a log. */
export const channelContents = (consumption: Consumption): ChannelContents | undefined => {
  const { places } = consumption.backlog
  if (places === undefined) return undefined
  const { policies } = consumption
  const holderOf = (key: MessageKey) => consumption.subscriptions.find(({ inFlight }) => inFlight.find(key) >= 0)
  return {
    places,
    *eachInFlight(each) {
      yield* consumption.eachInFlight((batch, position, holder) =>
        each(batch, position, frameAttempts(batch.frames, position), holder)
      )
      // Last, because messages in flight go there.
      for (const batch of policies.buryingBatches) each(batch, 0, pastAttempts(batch.frames, 0), undefined)
    },
    finish: (key) => {
      const holder = holderOf(key)
      if (holder !== undefined) return holder.finish(key) === "done"
      const letters = policies.forgetDeadLetter(({ frames }) => hasKey(frames, 0, key))
      for (const letter of letters) letter.settle(0, 1)
      return letters.length > 0 || consumption.finishAny(key)
    },
    requeue: (key) => holderOf(key)?.requeue(key, 0) === "done",
    dropWaiting: ({ index, position, queue, span }) => {
      if (!queue.remove(span, index, position)) return false
      span.batch.settle(position, 1)
      consumption.wake()
      return true
    },
    takeDeferred: (entry) => places.deferred?.remove(entry),
    enqueue: (batch) => {
      consumption.enqueue(batch)
      consumption.wake()
    }
  }
}
