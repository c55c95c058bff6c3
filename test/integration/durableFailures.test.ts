import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { until } from "../../src/testing/index.ts"
import { breakingDisk, canBreakDisks } from "./breakingDisk.ts"
import { bundledNsqd } from "./bundled.ts"
import { body, type Client, connect, text, topic } from "./client.ts"
import * as Daemon from "./daemon.ts"

const nsqd = bundledNsqd()
const timeout = 240_000
const flags = ["--durability=synced"]
const sub = { _tag: "SUB", topic, channel: ChannelName.make("c") } as const

const subscribed = Effect.fnUntraced(function*(daemon: Daemon.Daemon) {
  const consumer = yield* connect(daemon)
  assert.strictEqual(yield* consumer.ask(sub), "OK")
  return consumer
})

const publish = (daemon: Daemon.Daemon, message: string, to: string = topic) =>
  Daemon.http(daemon, `/pub?topic=${to}`, message)

const accepted = Effect.fnUntraced(function*(daemon: Daemon.Daemon, ...messages: ReadonlyArray<string>) {
  for (const message of messages) {
    assert.deepStrictEqual(yield* publish(daemon, message), { status: 200, body: "OK" })
  }
})

/** Finishes messages until these have been received. */
const receive = Effect.fnUntraced(function*(consumer: Client, ...bodies: ReadonlyArray<string>) {
  const missing = new Set(bodies)
  yield* consumer.send({ _tag: "RDY", count: 100 })
  while (missing.size > 0) {
    const message = yield* consumer.message
    yield* consumer.send({ _tag: "FIN", id: message.id })
    missing.delete(text(message))
  }
})

/** Asserts that `/ping`, `/ready` and `/stats`, which nsqadmin reads, say what fails. */
const unhealthy = Effect.fnUntraced(function*(daemon: Daemon.Daemon, reason: RegExp) {
  const ping = yield* Daemon.http(daemon, "/ping")
  assert.deepStrictEqual([ping.status, ping.body.startsWith("NOK - ")], [500, true])
  assert.match(ping.body, reason)
  const ready = yield* Daemon.http(daemon, "/ready")
  assert.deepStrictEqual([ready.status, ready.body.startsWith("NOT READY - ")], [503, true])
  assert.match(ready.body, reason)
  assert.match((yield* Daemon.http(daemon, "/stats?format=json")).body, reason)
  yield* daemon.logged(reason)
})

/** Completes when `/ping` and `/ready` respond with OK. */
const healthy = (daemon: Daemon.Daemon) =>
  until(
    Effect.gen(function*() {
      const ping = yield* Daemon.http(daemon, "/ping")
      const ready = yield* Daemon.http(daemon, "/ready")
      return ping.status === 200 && ready.status === 200
    }),
    "the daemon is healthy"
  )

describe("a daemon with durable topics", () => {
  it.live(
    "a second daemon does not start on the same data directory, and the first one continues",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const daemon = yield* nsqd.start(data, flags)
        const consumer = yield* subscribed(daemon)
        yield* accepted(daemon, "before")
        const files = readdirSync(join(data, "log", topic))
        const { log } = yield* Effect.flip(nsqd.start(data, flags))
        assert.match(log, /failed to lock data-path.*possibly in use by another instance of nsqd/)
        assert.deepStrictEqual(readdirSync(join(data, "log", topic)), files)
        yield* accepted(daemon, "after")
        yield* receive(consumer, "before", "after")
        yield* healthy(daemon)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "the directory of a log that another program has deleted is created again, and later messages survive a kill",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const directory = join(data, "log", topic)
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* nsqd.start(data, flags)
          yield* subscribed(daemon)
          yield* accepted(daemon, "before")
          rmSync(directory, { recursive: true })
          // What is accepted within a second goes into the deleted files.
          yield* until(
            Effect.andThen(accepted(daemon, "lost"), Effect.sync(() => existsSync(directory))),
            "the directory is there again"
          )
          yield* daemon.logged(/LOG\(test\): the files in .* were removed, starting new ones/)
          yield* accepted(daemon, "after")
          yield* healthy(daemon)
          yield* daemon.signal("SIGKILL")
          yield* daemon.exited
        }))
        const daemon = yield* nsqd.start(data, flags)
        yield* receive(yield* subscribed(daemon), "after")
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "without its data directory a daemon refuses messages and says why, and accepts them when the directory is back",
    () =>
      Effect.gen(function*() {
        const parent = yield* Daemon.temporaryDirectory
        const data = join(parent, "data")
        const elsewhere = join(parent, "elsewhere")
        mkdirSync(data)
        const daemon = yield* nsqd.start(data, flags)
        const consumer = yield* subscribed(daemon)
        yield* accepted(daemon, "before")
        renameSync(data, elsewhere)
        yield* until(
          Effect.map(publish(daemon, "moved"), ({ status }) => status === 503),
          "a publish is refused"
        )
        yield* unhealthy(daemon, /data.*: no such file or directory/)
        yield* receive(consumer, "before")
        renameSync(elsewhere, data)
        yield* healthy(daemon)
        yield* accepted(daemon, "after")
        yield* receive(consumer, "after")
      }).pipe(Effect.scoped),
    timeout
  )

  it.live.skipIf(!canBreakDisks)(
    "on a file system that has become read-only, messages are refused, consumers continue, and the daemon says why",
    () =>
      Effect.gen(function*() {
        const disk = yield* breakingDisk
        const start = Daemon.start(disk.path, [...flags, "--min-free-bytes=0"], { command: disk.on(nsqd.command()) })
        const daemon = yield* start
        const consumer = yield* subscribed(daemon)
        yield* accepted(daemon, "a", "b", "c")
        yield* disk.breakIt
        const publisher = yield* connect(daemon)
        assert.match(
          yield* publisher.ask({ _tag: "PUB", topic, body: body("refused") }),
          /^E_PUB_FAILED PUB failed .*read-only file system/
        )
        yield* unhealthy(daemon, /read-only file system/)
        yield* receive(consumer, "a", "b", "c")
        yield* daemon.signal("SIGTERM")
        yield* daemon.exited
      }).pipe(Effect.scoped),
    timeout
  )
})
