import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, type Layer, Queue } from "effect"
import * as NodeTransport from "../../../src/services/net/NodeTransport.ts"
import { Transport } from "../../../src/services/net/Transport.ts"
import { MemoryTransport } from "../../../src/testing/index.ts"

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

    it.live("connecting without a listener fails with the operating system's error text", () =>
      Effect.gen(function*() {
        const transport = yield* Transport
        const error = yield* Effect.flip(transport.connect("127.0.0.1:1"))
        assert.strictEqual(error.message, "dial 127.0.0.1:1: connection refused")
      }).pipe(Effect.scoped, Effect.provide(layer)))
  })
}
