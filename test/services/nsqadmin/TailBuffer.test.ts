import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { MessageId } from "../../../src/protocol/client/Message.ts"
import { TailBuffer } from "../../../src/services/nsqadmin/TailBuffer.ts"
import { Idle, untilIdle } from "../../../src/testing/index.ts"

const make = Effect.map(Clock.Clock, (clock) => new TailBuffer(clock))

const add = (buffer: TailBuffer, count: number, body = Buffer.from("x")): void => {
  for (let i = 0; i < count; i++) {
    const id = MessageId.make(i.toString(16).padStart(16, "0"))
    buffer.add("a:4150", { id, attempts: 1, timestamp: 1_700_000_000_123_456_789n, body })
  }
}

/** Takes the next events and counts messages and skipped messages. */
const counted = Effect.fnUntraced(function*(buffer: TailBuffer) {
  let [messages, skipped] = [0, 0]
  for (const event of yield* buffer.take) {
    if (event._tag === "Message") messages++
    if (event._tag === "Skipped") skipped += event.count
  }
  return { messages, skipped }
})

describe("TailBuffer", () => {
  it.effect("a message event has the id, time, attempts, node, body and size of the message", () =>
    Effect.gen(function*() {
      const buffer = yield* make
      const waiting = yield* Effect.forkChild(buffer.take, { startImmediately: true })
      add(buffer, 1, Buffer.from([0, 255, 1]))
      assert.deepStrictEqual(yield* Fiber.join(waiting), [{
        _tag: "Message",
        id: "0000000000000000",
        at: 1_700_000_000_123,
        attempts: 1,
        node: "a:4150",
        body: "AP8B",
        size: 3
      }])
    }))

  it.effect("a large body is truncated, and the event has its full size", () =>
    Effect.gen(function*() {
      const buffer = yield* make
      add(buffer, 1, Buffer.alloc(100_000, 7))
      const [event] = yield* buffer.take
      assert.strictEqual(event._tag, "Message")
      if (event._tag !== "Message") return
      assert.strictEqual(event.size, 100_000)
      assert.deepStrictEqual(Buffer.from(event.body, "base64"), Buffer.alloc(65_536, 7))
    }))

  it.effect("messages beyond 100 per second are skipped and counted once per second", () =>
    Effect.gen(function*() {
      const buffer = yield* make
      add(buffer, 250)
      assert.deepStrictEqual(yield* counted(buffer), { messages: 100, skipped: 150 })
      add(buffer, 10)
      const next = yield* Effect.forkChild(counted(buffer), { startImmediately: true })
      yield* untilIdle
      yield* TestClock.adjust("999 millis")
      yield* untilIdle
      assert.isUndefined(next.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(next), { messages: 0, skipped: 10 })
      add(buffer, 100)
      assert.deepStrictEqual(yield* counted(buffer), { messages: 100, skipped: 0 })
    }).pipe(Effect.provide(Idle.layer)))

  it.effect("messages beyond 4 MiB of waiting bodies are skipped", () =>
    Effect.gen(function*() {
      const buffer = yield* make
      add(buffer, 70, Buffer.alloc(64 * 1024))
      assert.deepStrictEqual(yield* counted(buffer), { messages: 64, skipped: 6 })
    }))

  it.effect("an idle tail has an event every 15 seconds", () =>
    Effect.gen(function*() {
      const buffer = yield* make
      for (const _ of ["first", "second"]) {
        const next = yield* Effect.forkChild(buffer.take, { startImmediately: true })
        yield* TestClock.adjust("14999 millis")
        yield* untilIdle
        assert.isUndefined(next.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* Fiber.join(next), [{ _tag: "Idle" }])
      }
    }).pipe(Effect.provide(Idle.layer)))
})
