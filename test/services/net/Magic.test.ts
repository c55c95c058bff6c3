import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { readMagic } from "../../../src/services/net/Magic.ts"
import type { Connection } from "../../../src/services/net/Transport.ts"
import * as MemoryTransport from "../../../src/testing/MemoryTransport.ts"
import { open } from "./connections.ts"

/** Reads the magic of NSQ's V2 protocol; returns the rest as a string, the log lines, and how often the client was refused. */
const received = Effect.fnUntraced(function*(connection: Connection) {
  const lines: Array<string> = []
  let refusals = 0
  const keeping = Logger.make<unknown, void>(({ logLevel, message }) =>
    void lines.push(`${logLevel} ${String(message)}`)
  )
  const rest = yield* Effect.provide(
    readMagic(connection, "  V2", () => void refusals++),
    Logger.layer([keeping])
  )
  return { rest: rest?.toString("latin1"), lines, refusals }
})

describe("the magic of a connection", () => {
  it.effect("the bytes behind the magic are returned, however the client splits them", () =>
    Effect.gen(function*() {
      for (
        const [writes, rest] of [[["  V2"], ""], [["  V2NOP\n"], "NOP\n"], [[" ", " V", "2NO", "P\n"], "NO"]] as const
      ) {
        const { client, server } = yield* open
        for (const write of writes) client.write(Buffer.from(write))
        const result = yield* received(server)
        assert.deepStrictEqual(result, {
          rest,
          lines: [`Info CLIENT(${server.remoteAddress}): desired protocol magic '  V2'`],
          refusals: 0
        })
      }
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("another magic is refused, and logged without its control characters", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      client.write(Buffer.from("G\n\x1b\xff / HTTP/1.1\r\n", "latin1"))
      assert.deepStrictEqual(yield* received(server), {
        rest: undefined,
        lines: [`Error client(${server.remoteAddress}) bad protocol magic 'G???'`],
        refusals: 1
      })
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a client that closes the connection within the magic gets no reply", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      client.write(Buffer.from("  V"))
      client.end()
      assert.deepStrictEqual(yield* received(server), { rest: undefined, lines: [], refusals: 0 })
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a client has 60 s for its magic, and single bytes do not extend them", () =>
    Effect.gen(function*() {
      const { client, server } = yield* open
      const reading = yield* Effect.forkChild(received(server), { startImmediately: true })
      client.write(Buffer.from(" "))
      yield* TestClock.adjust("59 seconds")
      client.write(Buffer.from(" "))
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(reading), { rest: undefined, lines: [], refusals: 0 })
    }).pipe(Effect.provide(MemoryTransport.layer)))
})
