import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { type MessageBatch, messageFrameHeaderSize } from "../../../../src/protocol/client/MessageBatch.ts"
import type { IdOrder } from "../../../../src/services/nsqd/broker/BrowseCursor.ts"
import { DeferredQueue } from "../../../../src/services/nsqd/broker/DeferredQueue.ts"
import type { MemoryContents } from "../../../../src/services/nsqd/broker/MemoryContents.ts"
import { MemoryQueue, wholeBatch } from "../../../../src/services/nsqd/broker/MemoryQueue.ts"
import { nextInMemory } from "../../../../src/services/nsqd/broker/NextInMemory.ts"
import { batches } from "./messages.ts"

/** A queue, deferred messages, and messages in flight. */
const parts = () => {
  const queue = new MemoryQueue()
  const deferred = new DeferredQueue()
  const inFlight: Array<MessageBatch> = []
  const contents: MemoryContents = {
    places: { queues: [queue], deferred, backend: undefined },
    *eachInFlight(each) {
      for (const batch of inFlight) each(batch, 0, 1, undefined)
    }
  }
  return { contents, queue, deferred, inFlight }
}

const search = (contents: MemoryContents, after: IdOrder | undefined, most: number, between = () => {}) => {
  const steps = nextInMemory([contents], undefined, after, most)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    between()
  }
}

const bodyOf = ({ frames, position }: { readonly frames: Buffer; readonly position: number }): string =>
  frames.toString("utf8", position + messageFrameHeaderSize, position + 4 + frames.readInt32BE(position))

const Place = Schema.Literals(["waiting", "deferred", "in_flight"])

describe("the next messages in memory", () => {
  it.effect.prop(
    "are those with the lowest ids, wherever and in whichever order they are kept",
    {
      places: Arbitrary.array(Arbitrary.schema(Place), { maxLength: 100 }),
      most: Arbitrary.schema(Schema.Literals([1, 2, 7, 1000])),
      reversed: Schema.Boolean
    },
    ({ most, places, reversed }) =>
      Effect.sync(() => {
        const makeBatch = batches()
        const { contents, deferred, inFlight, queue } = parts()
        const made = places.map((place, i) => ({ place, batch: makeBatch([`m${i}`]) }))
        for (const { batch, place } of reversed ? made.toReversed() : made) {
          if (place === "waiting") queue.push(wholeBatch(batch))
          else if (place === "deferred") deferred.push(batch, 10)
          else inFlight.push(batch)
        }
        const found: Array<string> = []
        let after: IdOrder | undefined
        for (;;) {
          const { isComplete, messages } = search(contents, after, most)
          assert.isAtMost(messages.length, most)
          for (const message of messages) found.push(`${bodyOf(message)} ${message.state}`)
          after = messages.at(-1)?.id ?? after
          if (isComplete) break
        }
        assert.deepStrictEqual(found, places.map((place, i) => `m${i} ${place}`))
      })
  )

  it("a message that moves while it is looked for is found once, where it is last", () => {
    const makeBatch = batches()
    const { contents, inFlight, queue } = parts()
    for (let i = 0; i < 1100; i++) queue.push(wholeBatch(makeBatch([`m${i}`])))
    const { messages } = search(contents, undefined, 5000, () => {
      if (queue.count < 1100) return
      inFlight.push(queue.peek().batch)
      queue.advance(1, queue.peek().batch.framesBytes)
    })
    assert.strictEqual(messages.length, 1100)
    assert.deepStrictEqual(messages.slice(0, 2).map((message) => [bodyOf(message), message.state]), [
      ["m0", "in_flight"],
      ["m1", "waiting"]
    ])
  })
})
