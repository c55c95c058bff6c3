import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, type Scope } from "effect"
import nsq, { type Message } from "nsqjs"
import { fixedPort } from "../services/net/fixedPort.ts"
import * as Daemon from "./daemon.ts"

const total = 30_000
const batch = 100

/** Publishes numbers with nsqjs, waiting for each response. */
const publish = (daemon: Daemon.Daemon, from: number, to: number): Effect.Effect<void, Error> =>
  Effect.callback((resume) => {
    const writer = new nsq.Writer("127.0.0.1", daemon.tcpPort)
    const finish = (result: Effect.Effect<void, Error>): void => {
      writer.close()
      resume(result)
    }
    const next = (at: number): void => {
      if (at >= to) return finish(Effect.void)
      const bodies = Array.from({ length: Math.min(batch, to - at) }, (_, i) => String(at + i))
      writer.publish("test", bodies, (error) => error ? finish(Effect.fail(error)) : next(at + batch))
    }
    writer.on("ready", () => next(from))
    writer.on("error", (error: Error) => finish(Effect.fail(error)))
    writer.connect()
  })

/** A reader on the channel `c` that reconnects after the daemon was stopped. */
const read = (daemon: Daemon.Daemon, onMessage: (message: Message) => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const reader = new nsq.Reader("test", "c", {
        nsqdTCPAddresses: `127.0.0.1:${daemon.tcpPort}`,
        maxInFlight: 500,
        maxAttempts: 0,
        lookupdPollInterval: 1,
        maxBackoffDuration: 0
      })
      reader.on("message", onMessage)
      // While the daemon is stopped, the reader retries.
      reader.on("error", () => {})
      reader.on("nsqd_closed", () => {})
      reader.connect()
      return reader
    }),
    (reader) => Effect.sync(() => reader.close())
  )

describe("nsqjs, an independent client", () => {
  it.live(
    "nsqjs publishes and consumes tens of thousands of messages, with requeues and a restart in the middle",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const finished = new Set<number>()
        const requeued = new Set<number>()
        const halfWay = yield* Latch.make(false)
        const allDone = yield* Latch.make(false)
        let retried = 0
        const onMessage = (message: Message): void => {
          const number = Number(message.body.toString())
          if (number % 50 === 0 && !requeued.has(number)) {
            requeued.add(number)
            return message.requeue(number % 100 === 0 ? 0 : 50, false)
          }
          if (requeued.has(number) && message.attempts > 1) retried++
          if (number % 1000 === 1) message.touch()
          message.finish()
          finished.add(number)
          if (finished.size >= total / 4) halfWay.openUnsafe()
          if (finished.size === total) allDone.openUnsafe()
        }
        const ports = { tcpPort: yield* fixedPort, httpPort: yield* fixedPort }
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* Daemon.start(data, [], ports)
          yield* read(daemon, onMessage)
          yield* publish(daemon, 0, total / 2)
          yield* halfWay.await
          yield* daemon.signal("SIGTERM")
          assert.strictEqual(yield* daemon.exited, 0)
        }))
        const daemon = yield* Daemon.start(data, [], ports)
        yield* read(daemon, onMessage)
        yield* publish(daemon, total / 2, total)
        yield* allDone.await
        assert.strictEqual(requeued.size, total / 50)
        assert.isAtLeast(retried, total / 50)
        assert.deepStrictEqual([...finished].sort((a, b) => a - b), Array.from({ length: total }, (_, i) => i))
      }).pipe(Effect.scoped),
    480_000
  )
})
