import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Datagrams } from "../../src/services/net/Datagrams.ts"
import { MemoryDatagrams } from "../../src/testing/index.ts"

const { ReceivedDatagrams } = MemoryDatagrams

describe("MemoryDatagrams", () => {
  it.effect("datagrams arrive whole and in order, with the address of their destination", () =>
    Effect.gen(function*() {
      const received = yield* ReceivedDatagrams
      const one = yield* Datagrams.use(({ connect }) => connect("one:1"))
      const other = yield* Datagrams.use(({ connect }) => connect("other:2"))
      const first = yield* Effect.forkChild(received.take, { startImmediately: true })
      yield* one.send(Buffer.from("a:1|c\n"))
      yield* other.send(Buffer.from("b"))
      yield* one.send(Buffer.from("c"))
      assert.deepStrictEqual(yield* Fiber.join(first), { address: "one:1", text: "a:1|c\n" })
      assert.deepStrictEqual(yield* received.takeAvailable, [
        { address: "other:2", text: "b" },
        { address: "one:1", text: "c" }
      ])
      assert.deepStrictEqual(yield* received.takeAvailable, [])
    }).pipe(Effect.scoped, Effect.provide(MemoryDatagrams.layer)))

  it.effect("connecting fails while the receiver is not reachable", () =>
    Effect.gen(function*() {
      const received = yield* ReceivedDatagrams
      const { connect } = yield* Datagrams
      received.setReachable(false)
      assert.include((yield* Effect.flip(connect("one:1"))).message, "one:1")
      received.setReachable(true)
      const socket = yield* connect("one:1")
      yield* socket.send(Buffer.from("x"))
      assert.deepStrictEqual(yield* received.take, { address: "one:1", text: "x" })
    }).pipe(Effect.scoped, Effect.provide(MemoryDatagrams.layer)))
})
