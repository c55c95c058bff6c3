import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { unlimited } from "../../../src/services/core/Turns.ts"
import * as SnappyCodecs from "../../../src/services/net/SnappyCodecs.ts"
import * as SnappyConnection from "../../../src/services/net/SnappyConnection.ts"
import * as MemoryTransport from "../../../src/testing/MemoryTransport.ts"
import { noise, open, readBytes } from "./connections.ts"

/** A connection in the framing format at both ends. */
const openSnappy = Effect.gen(function*() {
  const codec = yield* SnappyCodecs.load
  const ends = yield* open
  const server = SnappyConnection.make(ends.server, codec, unlimited)
  return { ...ends, connection: server, other: SnappyConnection.make(ends.client, codec, unlimited) }
})

describe("a connection inside snappy", () => {
  it.effect("a snappy connection carries all writes at once, in both directions", () =>
    Effect.gen(function*() {
      const { connection, other } = yield* openSnappy
      for (const content of [Buffer.from("OK"), Buffer.alloc(300_000, "abc"), noise(200_000)]) {
        for (const [from, to] of [[connection, other], [other, connection]] as const) {
          from.write(content)
          assert.isTrue((yield* readBytes(to, content.length)).equals(content))
        }
      }
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a snappy connection does not retain the memory of its callers", () =>
    Effect.gen(function*() {
      const { connection, other } = yield* openSnappy
      const memory = Buffer.from("before")
      assert.isTrue(connection.write(memory))
      memory.write("after!")
      assert.strictEqual((yield* readBytes(other, 6)).toString(), "before")
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("pending bytes of a snappy connection count until the client has read them", () =>
    Effect.gen(function*() {
      const { client, connection } = yield* openSnappy
      connection.write(noise(1_000_000))
      assert.isAbove(connection.pendingBytes(), 500_000)
      const drained = yield* Effect.forkChild(connection.drained, { startImmediately: true })
      while (drained.pollUnsafe() === undefined) yield* client.read
      yield* Fiber.join(drained)
      assert.strictEqual(connection.pendingBytes(), 0)
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a snappy connection ends between two chunks and is lost inside a chunk", () =>
    Effect.gen(function*() {
      const whole = yield* openSnappy
      whole.other.write(Buffer.from("hello"))
      whole.client.end()
      assert.strictEqual((yield* whole.connection.read)?.toString(), "hello")
      assert.isUndefined(yield* whole.connection.read)

      const cut = yield* openSnappy
      cut.client.write(Buffer.from([0xff, 6, 0]))
      cut.client.end()
      assert.strictEqual(
        (yield* Effect.flip(cut.connection.read)).message,
        "snappy: the stream ends in the middle of a chunk"
      )
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a snappy connection is lost if its input is not in the framing format", () =>
    Effect.gen(function*() {
      const { client, connection } = yield* openSnappy
      client.write(Buffer.from("NOP\n"))
      assert.strictEqual((yield* Effect.flip(connection.read)).message, "snappy: missing stream identifier")
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("highly compressed input of a snappy connection is delivered in pieces", () =>
    Effect.gen(function*() {
      const { connection, other } = yield* openSnappy
      const length = 32 * 1024 * 1024
      other.write(Buffer.alloc(length))
      let left = length
      while (left > 0) {
        const bytes = yield* connection.read
        assert.isAtMost(bytes?.length ?? Infinity, 128 * 1024)
        left -= bytes?.length ?? 0
      }
    }).pipe(Effect.provide(MemoryTransport.layer)))
})
