import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { bundledNsqd } from "./bundled.ts"
import { body, type Client, connect, text, topic } from "./client.ts"
import * as Daemon from "./daemon.ts"

const nsqd = bundledNsqd()
const timeout = 240_000
const sub = { _tag: "SUB", topic, channel: ChannelName.make("c") } as const
const flags = ["--mem-queue-size=10"]

/** Changes the durability of the topic while it is used. */
const change = (daemon: Daemon.Daemon, durability: string) =>
  Effect.map(
    Daemon.http(daemon, `/topic/durability?topic=${topic}&durability=${durability}`, ""),
    ({ body }) => body
  )

/** Finishes every message; messages that return while the durability changes come a second time. */
const consume = (consumer: Client, seen: Set<string>, done: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (!done()) {
      const message = yield* consumer.message
      seen.add(text(message))
      yield* consumer.send({ _tag: "FIN", id: message.id })
    }
  })

describe("a daemon whose topic changes its durability", () => {
  it.live("every acknowledged message is delivered over changes under load and kill -9", () =>
    Effect.gen(function*() {
      const data = yield* Daemon.temporaryDirectory
      const seen = new Set<string>()
      let acknowledged = 0
      yield* Effect.scoped(Effect.gen(function*() {
        const daemon = yield* nsqd.start(data, flags)
        const consumer = yield* connect(daemon)
        yield* consumer.ask(sub)
        yield* consumer.send({ _tag: "RDY", count: 5 })
        yield* Effect.forkChild(consume(consumer, seen, () => false))
        const publisher = yield* connect(daemon)
        const changed = yield* Deferred.make<void>()
        const publishing = yield* Effect.forkChild(Effect.gen(function*() {
          // The last messages are published after the last change: they have to survive the kill.
          for (let left = 50; left > 0; left -= Deferred.isDoneUnsafe(changed) ? 1 : 0) {
            assert.strictEqual(yield* publisher.ask({ _tag: "PUB", topic, body: body(acknowledged) }), "OK")
            acknowledged++
          }
        }))
        for (const durability of ["synced", "memory", "written", "synced", "memory", "written"]) {
          assert.strictEqual(yield* change(daemon, durability), `{"durability":"${durability}"}`)
        }
        yield* Deferred.succeed(changed, undefined)
        yield* Fiber.join(publishing)
        yield* daemon.signal("SIGKILL")
        yield* daemon.exited
      }))
      const again = yield* nsqd.start(data, flags)
      const [stats] = yield* Daemon.topics(again)
      assert.strictEqual(stats?.durability, "written")
      const last = yield* connect(again)
      assert.strictEqual(yield* last.ask({ _tag: "PUB", topic, body: body("last") }), "OK")
      const consumer = yield* connect(again)
      yield* consumer.ask(sub)
      yield* consumer.send({ _tag: "RDY", count: 100 })
      yield* consume(consumer, seen, () => seen.size > acknowledged)
      assert.isTrue(seen.has("last"))
    }).pipe(Effect.scoped), timeout)

  it.live(
    "the disk queues of a killed daemon are moved into the log, and back into NSQ's files",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const queueFiles = () => readdirSync(data).filter((name) => name.includes(".diskqueue."))
        const bodies = Array.from({ length: 100 }, (_, i) => `message ${i}`)
        const total = (daemon: Daemon.Daemon) =>
          Effect.map(Daemon.topics(daemon), ([stats]) => (stats?.depth ?? 0) + (stats?.channels[0]?.depth ?? 0))
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, ["--mem-queue-size=0"])
          yield* Daemon.http(daemon, `/topic/create?topic=${topic}`, "")
          yield* Daemon.http(daemon, `/channel/create?topic=${topic}&channel=c`, "")
          const publisher = yield* connect(daemon)
          for (const message of bodies) {
            assert.strictEqual(yield* publisher.ask({ _tag: "PUB", topic, body: body(message) }), "OK")
          }
          yield* daemon.signal("SIGKILL")
          yield* daemon.exited
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, ["--durability=synced"])
          assert.deepStrictEqual(queueFiles(), [])
          assert.isAtLeast(yield* total(daemon), bodies.length)
          yield* daemon.signal("SIGKILL")
          yield* daemon.exited
        }))
        const daemon = yield* nsqd.start(data, ["--mem-queue-size=0"])
        assert.isAtLeast(yield* total(daemon), bodies.length)
        assert.deepStrictEqual(readdirSync(join(data, "log")), [])
        const consumer = yield* connect(daemon)
        yield* consumer.ask(sub)
        yield* consumer.send({ _tag: "RDY", count: 100 })
        const seen = new Set<string>()
        yield* consume(consumer, seen, () => seen.size === bodies.length)
        assert.deepStrictEqual(Array.from(seen).toSorted(), bodies.toSorted())
      }).pipe(Effect.scoped),
    timeout
  )
})
