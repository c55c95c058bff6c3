/** Consumers for tests of channels that record their messages. */
import type { Consumer } from "../../../../src/broker.ts"
import { frameHeaderSize } from "../../../../src/protocol/client/Frame.ts"
import { type Headers, readHeaders } from "../../../../src/protocol/client/Headers.ts"
import { decodeMessage } from "../../../../src/protocol/client/Message.ts"
import { frameBodyStart, frameHeaders } from "../../../../src/protocol/client/MessageBatch.ts"

export interface Received {
  readonly body: string
  readonly id: string
  readonly attempts: number
  readonly timestamp: bigint
  readonly headers: Headers
}

/**
 * A consumer, and the messages that it has received since they were last taken. It is full after `window` messages
 * until the next flush. Default: no limit. With `readsHeaders` it gets the headers of messages.
 */
export const recordingConsumer = (window = Infinity, readsHeaders = false) => {
  let received: Array<Received> = []
  let unflushed = 0
  let writable = true
  let closed = false
  let inputMark = () => 0
  let flushes = 0
  const consumer: Consumer = {
    readsHeaders,
    deliver: (frames, start, end, count) => {
      unflushed += count
      const before = received.length
      for (let at = start; at < end;) {
        const next = at + frames.readInt32BE(at) + 4
        const message = decodeMessage(frames.subarray(at + frameHeaderSize, next))
        if (message === undefined) throw new Error("a frame is not a message")
        const body = frames.toString("utf8", frameBodyStart(frames, at), next)
        received.push({ ...message, body, headers: readHeaders(frameHeaders(frames, at)) })
        at = next
      }
      if (received.length - before !== count) throw new Error(`${count} messages were announced`)
    },
    flush: () => {
      flushes++
      unflushed = 0
    },
    isWritable: () => writable && unflushed < window,
    inputMark: () => inputMark(),
    close: () => {
      closed = true
    }
  }
  return {
    consumer,
    take: (): ReadonlyArray<Received> => received.splice(0),
    /** Received messages that were not taken yet. */
    bodies: (): ReadonlyArray<string> => received.map(({ body }) => body),
    flushes: () => flushes,
    isClosed: () => closed,
    /** From now on this is the mark of its executed input. */
    input: (mark: () => number) => {
      inputMark = mark
    },
    block: () => {
      writable = false
    },
    unblock: () => {
      writable = true
    }
  }
}
