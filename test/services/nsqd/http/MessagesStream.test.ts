import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as Http from "node:http"
import * as Net from "node:net"
import { Turns } from "../../../../src/services/core/Turns.ts"
import { StorageError, StorageErrorReason } from "../../../../src/services/nsqd/disk/StorageError.ts"
import * as MessagesStream from "../../../../src/services/nsqd/http/MessagesStream.ts"
import { quiet } from "../broker/testing.ts"

const page = (from: number, next: number | undefined): MessagesStream.StreamPage => ({
  messages: [{
    sequence: from,
    id: "0123456789abcdef",
    timestamp: "1",
    attempts: 0,
    state: "waiting",
    body_size: 100_000,
    body: "x".repeat(100_000)
  }],
  next
})

/** A response whose client has read the output at each event `drain`. */
const start = (read: MessagesStream.MessagesStream["read"]) =>
  Effect.gen(function*() {
    const outgoing = new Http.ServerResponse(new Http.IncomingMessage(new Net.Socket()))
    const form = MessagesStream.formFor(undefined)
    const stream = { form, first: page(1, 2), read, turns: yield* Turns }
    const fiber = yield* Effect.forkChild(MessagesStream.send(stream, outgoing), { startImmediately: true })
    return { outgoing, fiber }
  })

describe("MessagesStream", () => {
  it.effect("the next part is read when the client has read the one before, until the end of the range", () =>
    Effect.gen(function*() {
      const read: Array<number> = []
      const { fiber, outgoing } = yield* start((from) =>
        Effect.sync(() => {
          read.push(from)
          return page(from, from < 3 ? from + 1 : undefined)
        })
      )
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(read, [])
      outgoing.emit("drain")
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(read, [2])
      outgoing.emit("drain")
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(read, [2, 3])
      outgoing.emit("drain")
      yield* Fiber.join(fiber)
      assert.isTrue(outgoing.writableEnded)
    }))

  it.effect("a client that has read nothing for 30 seconds is disconnected", () =>
    Effect.gen(function*() {
      const { fiber, outgoing } = yield* start(() => Effect.die("nothing is read"))
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([outgoing.destroyed, outgoing.writableEnded], [true, false])
    }))

  it.effect("a failure of the disk ends the response before its end", () =>
    Effect.gen(function*() {
      const { fiber, outgoing } = yield* start(() =>
        Effect.fail(new StorageError({ reason: StorageErrorReason.Exiting() }))
      )
      outgoing.emit("drain")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([outgoing.destroyed, outgoing.writableEnded], [true, false])
    }).pipe(Effect.provide(quiet)))

  it.effect("a defect is logged, and ends the response before its end", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel} ${String(message)}`)
    })
    return Effect.gen(function*() {
      const { fiber, outgoing } = yield* start(() => Effect.die(new Error("broken")))
      outgoing.emit("drain")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([outgoing.destroyed, outgoing.writableEnded], [true, false])
      assert.deepStrictEqual(lines, ["Error HTTP: sending messages failed,Error: broken"])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
