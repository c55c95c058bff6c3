/** Consumers for tests of channels: they write down what they are given. */
import type { Consumer } from "../../../../src/broker.ts"
import { frameHeaderSize } from "../../../../src/protocol/client/Frame.ts"
import { decodeMessage } from "../../../../src/protocol/client/Message.ts"

export interface Received {
  readonly body: string
  readonly id: string
  readonly attempts: number
  readonly timestamp: bigint
}

/**
 * A consumer, and what it has received since somebody last looked. It is full after `window` messages, default any number,
 * until the next flush.
 */
export const recordingConsumer = (window = Infinity) => {
  let received: Array<Received> = []
  let unflushed = 0
  let writable = true
  let closed = false
  let inputMark = () => 0
  let flushes = 0
  const consumer: Consumer = {
    deliver: (frames, start, end, count) => {
      unflushed += count
      const before = received.length
      for (let at = start; at < end;) {
        const next = at + frames.readInt32BE(at) + 4
        const message = decodeMessage(frames.subarray(at + frameHeaderSize, next))
        if (message === undefined) throw new Error("a frame is not a message")
        received.push({ ...message, body: Buffer.from(message.body).toString() })
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
    /** What was received and not taken yet. */
    bodies: (): ReadonlyArray<string> => received.map(({ body }) => body),
    flushes: () => flushes,
    isClosed: () => closed,
    /** From now on this is what shows how far its input has been carried out. */
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
