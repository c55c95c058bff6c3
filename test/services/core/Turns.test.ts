import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Net from "node:net"
import type { AddressInfo } from "node:net"
import { finish, inBackground, onEventLoop, type Turns, unlimited } from "../../../src/services/core/Turns.ts"

const isAddressInfo = (address: string | AddressInfo | null): address is AddressInfo => typeof address === "object"

/** Both ends of a connection over the loopback interface. */
const socketPair = Effect.acquireRelease(
  Effect.callback<readonly [Net.Socket, Net.Socket]>((resume) => {
    const server = Net.createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      if (!isAddressInfo(address)) return
      const connecting = Net.connect(address.port, address.address)
      server.once("connection", (accepted) => {
        server.close()
        resume(Effect.succeed([connecting, accepted]))
      })
    })
  }),
  (sockets) => Effect.sync(() => sockets.forEach((socket) => socket.destroy()))
)

/** Works until its turn is over, `turns` times. */
const workFor = (turns: number, onTurn: () => void) =>
  Effect.gen(function*() {
    for (let i = 0; i < turns; i++) {
      onTurn()
      while (!onEventLoop.isOver());
      yield* onEventLoop.next
    }
  })

describe("turns on the event loop", () => {
  it.live("sockets are read between two turns, regardless of the number of fibers that never finish", () =>
    Effect.gen(function*() {
      const [client, server] = yield* socketPair
      let turnsTaken = 0
      const workers = yield* Effect.forEach(
        Array.from({ length: 50 }),
        () => Effect.forkChild(workFor(1000, () => turnsTaken++), { startImmediately: true })
      )
      let echoes = 0
      const before = turnsTaken
      server.on("data", (bytes: Buffer) => server.write(bytes))
      yield* Effect.callback<void>((resume) => {
        client.on("data", () => {
          if (++echoes === 20) return resume(Effect.void)
          client.write("x")
        })
        client.write("x")
      })
      // Each direction takes one or two rounds of at most two workers each, and more if the system delivers late: far fewer than fifty.
      assert.isBelow(turnsTaken - before, 20 * 2 * 20)
      yield* Fiber.interruptAll(workers)
    }))

  it.live("work in the background has its turns after other work, but has some however much there is", () =>
    Effect.gen(function*() {
      const background = inBackground(onEventLoop)
      const order: Array<string> = []
      const work = (name: string, turns: Turns, count: number) =>
        Effect.gen(function*() {
          for (let i = 0; i < count; i++) {
            yield* turns.next
            order.push(name)
            while (!turns.isOver());
          }
        })
      const behind = yield* Effect.forkChild(work("behind", background, 2), { startImmediately: true })
      yield* work("first", onEventLoop, 30)
      yield* Fiber.join(behind)
      assert.deepStrictEqual(order.slice(0, 10), Array(10).fill("first"))
      assert.strictEqual(order.filter((name) => name === "first").length, 30)
      assert.isBelow(order.lastIndexOf("behind"), order.length - 1)
      assert.strictEqual(inBackground(unlimited), unlimited)
    }))

  it.live("work that is interrupted between two steps runs its finally blocks", () =>
    Effect.gen(function*() {
      let isEnded = false
      let steps = 0
      function* endless(): Generator<void, void> {
        try {
          for (;;) {
            steps++
            yield
          }
        } finally {
          isEnded = true
        }
      }
      const fiber = yield* Effect.forkChild(finish(onEventLoop, endless()), { startImmediately: true })
      assert.isAbove(steps, 0)
      assert.isFalse(isEnded)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(isEnded)
    }))

  it.live("waiting work is served in FIFO order", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const worker = (name: string) => workFor(3, () => order.push(name))
      yield* Effect.forEach(["a", "b", "c"], worker, { concurrency: "unbounded", discard: true })
      assert.deepStrictEqual(order.join(""), "abcabcabc")
    }))

  it.live("work that is interrupted while it waits is removed, and other work is served", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.forkChild(Effect.andThen(onEventLoop.next, Effect.die("it goes on")), {
        startImmediately: true
      })
      const other = yield* Effect.forkChild(onEventLoop.next, { startImmediately: true })
      yield* Fiber.interrupt(gone)
      yield* Fiber.join(other)
    }))
})

describe("work in steps", () => {
  const counted = () => {
    let waits = 0
    const turns: Turns = { isOver: () => true, next: Effect.sync(() => void waits++) }
    return { turns, waits: () => waits }
  }

  function* steps(count: number): Generator<void, string, void> {
    for (let i = 0; i < count; i++) yield
    return "done"
  }

  it.effect("work in steps waits for exactly one turn per step if each step uses up its turn", () =>
    Effect.gen(function*() {
      const { turns, waits } = counted()
      assert.strictEqual(yield* finish(turns, steps(3)), "done")
      assert.strictEqual(waits(), 3)
      assert.strictEqual(yield* finish(turns, steps(0)), "done")
      assert.strictEqual(waits(), 3)
    }))
})
