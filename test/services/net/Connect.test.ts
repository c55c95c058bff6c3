import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, type Layer, Queue } from "effect"
import { encodeFrame, FrameDecoder, FrameType } from "../../../src/protocol/client/Frame.ts"
import * as NodeTransport from "../../../src/services/net/NodeTransport.ts"
import { readEach, Transport } from "../../../src/services/net/Transport.ts"
import { MemoryTransport } from "../../../src/testing/index.ts"
import { noise } from "./connections.ts"

const layers = [
  ["a real network", NodeTransport.layer, "127.0.0.1:0"],
  ["a network in memory", MemoryTransport.layer as Layer.Layer<Transport>, "127.0.0.1:4150"]
] as const

for (const [name, layer, address] of layers) {
  describe(`connecting over ${name}`, () => {
    it.live("a connection carries bytes and the end in both directions", () =>
      Effect.gen(function*() {
        const transport = yield* Transport
        const received = yield* Queue.unbounded<string>()
        const ended = yield* Deferred.make<void>()
        const listener = yield* transport.listen(address, (connection) =>
          Effect.gen(function*() {
            for (let chunk = yield* connection.read; chunk !== undefined; chunk = yield* connection.read) {
              Queue.offerUnsafe(received, chunk.toString())
              connection.write(Buffer.from("pong"))
            }
            yield* Deferred.succeed(ended, undefined)
          }).pipe(Effect.ignore))
        yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* transport.connect(listener.address)
          connection.write(Buffer.from("ping"))
          assert.strictEqual(yield* Queue.take(received), "ping")
          assert.strictEqual((yield* connection.read)?.toString(), "pong")
        }))
        yield* Deferred.await(ended)
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("bytes that were read stay as they are when more bytes arrive, on each of several connections", () =>
      Effect.gen(function*() {
        const transport = yield* Transport
        const listener = yield* transport.listen(address, (connection) =>
          Effect.gen(function*() {
            // Sent at once, before the client reads.
            connection.write(Buffer.from("first"))
            for (let chunk = yield* connection.read; chunk !== undefined; chunk = yield* connection.read) {
              connection.write(chunk)
            }
          }).pipe(Effect.ignore))
        const one = yield* transport.connect(listener.address)
        const other = yield* transport.connect(listener.address)
        const reads: Array<Buffer | undefined> = [yield* one.read, yield* other.read]
        for (const text of ["alpha", "beta", "gamma"]) {
          one.write(Buffer.from(text))
          reads.push(yield* one.read)
          other.write(Buffer.from(text.toUpperCase()))
          reads.push(yield* other.read)
        }
        assert.deepStrictEqual(
          reads.map((bytes) => bytes?.toString()),
          ["first", "first", "alpha", "ALPHA", "beta", "BETA", "gamma", "GAMMA"]
        )
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("the data of frames stays as it is when pieces of other frames arrive, on each of several connections", () =>
      Effect.gen(function*() {
        const transport = yield* Transport
        const bodies = Array.from({ length: 60 }, (_, number) => noise(1 + (number * 37) % 200, number + 1))
        const stream = Buffer.concat(bodies.map((body) => encodeFrame(FrameType.message, body)))
        const listener = yield* transport.listen(address, (connection) =>
          Effect.gen(function*() {
            for (let at = 0, size = 1; at < stream.length; at += size, size = 1 + (size * 7) % 61) {
              connection.write(stream.subarray(at, at + size))
              // The other connections have their pieces in between.
              yield* Effect.sleep(0)
            }
          }))
        const receive = Effect.gen(function*() {
          const connection = yield* transport.connect(listener.address)
          const decoder = new FrameDecoder()
          const data: Array<Uint8Array> = []
          yield* readEach(connection, (bytes) => {
            decoder.feed(bytes)
            for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
              if (!("data" in frame)) return false
              data.push(frame.data)
            }
            return data.length < bodies.length
          })
          return data
        })
        const received = yield* Effect.all(Array.from({ length: 8 }, () => receive), { concurrency: "unbounded" })
        for (const data of received) assert.isTrue(Buffer.concat(data).equals(Buffer.concat(bodies)))
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("a connection passes bytes to a callback until it declines, and loses none", () =>
      Effect.gen(function*() {
        const transport = yield* Transport
        const bytes = noise(1_000_000)
        const listener = yield* transport.listen(
          address,
          (connection) => Effect.andThen(Effect.sync(() => connection.write(bytes)), connection.drained)
        )
        const connection = yield* transport.connect(listener.address)
        const chunks: Array<Buffer> = [(yield* connection.read) ?? Buffer.alloc(0)]
        let taken = 0
        // Declines every third piece; the pieces that arrive in between wait.
        const take = (chunk: Buffer): boolean => {
          chunks.push(Buffer.from(chunk))
          return ++taken % 3 !== 0
        }
        while (yield* readEach(connection, take)) yield* Effect.yieldNow
        assert.isTrue(Buffer.concat(chunks).equals(bytes))
      }).pipe(Effect.scoped, Effect.provide(layer)))

    it.live("connecting without a listener fails with the operating system's error text", () =>
      Effect.gen(function*() {
        const transport = yield* Transport
        const error = yield* Effect.flip(transport.connect("127.0.0.1:1"))
        assert.strictEqual(error.message, "dial 127.0.0.1:1: connection refused")
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })
}
