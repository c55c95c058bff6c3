import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { symlinkSync, writeFileSync } from "node:fs"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { body, connect, consumeUntil, text, topic } from "./client.ts"
import * as Daemon from "./daemon.ts"

const channel = ChannelName.make("c")
const sub = { _tag: "SUB", topic, channel } as const
const timeout = 480_000

const first = <A>(values: Array<A>): readonly [A, ...Array<A>] => {
  const [head, ...rest] = values
  if (head === undefined) throw new Error("no values")
  return [head, ...rest]
}
const bodies = (from: number, to: number) => first(Array.from({ length: to - from }, (_, i) => body(from + i)))

describe("a daemon that is restarted", () => {
  it.live(
    "a daemon has a million messages after SIGTERM, including those in flight and deferred",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const flags = ["--mem-queue-size=2000000"]
        const total = 1_000_000
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* Daemon.start(data, flags)
          const consumer = yield* connect(daemon)
          yield* consumer.ask(sub)
          const publisher = yield* connect(daemon)
          for (let from = 0; from < total; from += 10_000) {
            yield* publisher.send({ _tag: "MPUB", topic, bodies: bodies(from, from + 10_000) })
          }
          for (let from = 0; from < total; from += 10_000) assert.strictEqual(yield* publisher.answer, "OK")
          for (let i = 0; i < 10; i++) {
            const deferred = { _tag: "DPUB", topic, deferMillis: 3_600_000, body: body(total + i) } as const
            assert.strictEqual(yield* publisher.ask(deferred), "OK")
          }
          yield* consumer.send({ _tag: "RDY", count: 100 })
          for (let i = 0; i < 100; i++) yield* consumer.message
          yield* daemon.signal("SIGTERM")
          assert.strictEqual(yield* daemon.exited, 0)
          assert.strictEqual(yield* consumer.answer, "closed")
        }))
        const again = yield* Daemon.start(data, flags)
        const [stats] = yield* Daemon.topics(again)
        assert.strictEqual((stats?.depth ?? 0) + (stats?.channels[0]?.depth ?? 0), total + 10)
        const seen = new Uint8Array(total + 10)
        let missing = seen.length
        yield* consumeUntil(yield* connect(again), sub, 2500, (message) => {
          if (seen[Number(message)] === 0) missing--
          seen[Number(message)] = 1
          return missing === 0
        })
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "SIGHUP loses no messages and is logged",
    () =>
      Effect.gen(function*() {
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
        const client = yield* connect(daemon)
        assert.strictEqual(yield* client.ask({ _tag: "PUB", topic, body: body("kept") }), "OK")
        yield* daemon.signal("SIGHUP")
        yield* daemon.logged(/SIGHUP/)
        yield* client.ask(sub)
        yield* client.send({ _tag: "RDY", count: 1 })
        assert.strictEqual(text(yield* client.message), "kept")
        yield* daemon.signal("SIGINT")
        assert.strictEqual(yield* daemon.exited, 0)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon has every confirmed message after kill -9 during publishing and consuming, if none waits in memory",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        const flags = ["--mem-queue-size=0", "--max-bytes-per-file=200000"]
        const confirmed = new Set<string>()
        const finished = new Set<string>()
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* Daemon.start(data, flags)
          const consumer = yield* connect(daemon)
          yield* consumer.ask(sub)
          yield* consumer.send({ _tag: "RDY", count: 50 })
          const publishing = Effect.gen(function*() {
            const client = yield* connect(daemon)
            for (let from = 0;; from += 20) {
              const answer = yield* client.ask({ _tag: "MPUB", topic, bodies: bodies(from, from + 20) })
              if (answer !== "OK") return
              for (let i = from; i < from + 20; i++) confirmed.add(String(i))
            }
          })
          const consuming = Effect.gen(function*() {
            while (finished.size < 3000) {
              const message = yield* consumer.message
              // Not every message is finished, so that some are in flight at the end.
              if (Number(text(message)) % 7 === 0) continue
              finished.add(text(message))
              yield* consumer.send({ _tag: "FIN", id: message.id })
              yield* consumer.send({ _tag: "RDY", count: 2500 })
            }
            yield* daemon.signal("SIGKILL")
          })
          yield* Effect.all([publishing, consuming], { concurrency: "unbounded", discard: true })
        }))
        const daemon = yield* Daemon.start(data, flags)
        const missing = new Set([...confirmed].filter((message) => !finished.has(message)))
        assert.isAbove(missing.size, 0)
        yield* consumeUntil(yield* connect(daemon), sub, 2500, (message) => {
          missing.delete(message)
          return missing.size === 0
        })
      }).pipe(Effect.scoped),
    timeout
  )
})

describe("a daemon with disk or port failures", () => {
  it.live(
    "publishers and /ping report a full disk, and recover when it has space",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        // The queue continues where its metadata says: in a file on a device that is always full.
        writeFileSync(`${data}/test.diskqueue.meta.dat`, "0\n0,0\n0,0\n")
        symlinkSync("/dev/full", `${data}/test.diskqueue.000000.dat`)
        const daemon = yield* Daemon.start(data, ["--mem-queue-size=0"])
        const client = yield* connect(daemon)
        assert.match(yield* client.ask({ _tag: "PUB", topic, body: body("refused") }), /^E_PUB_FAILED PUB failed/)
        const ping = yield* Daemon.http(daemon, "/ping")
        assert.strictEqual(ping.status, 500)
        assert.match(ping.body, /^NOK - write .*: no space left on device$/)
        // The partial write is removed, and with it the link to the full device.
        assert.strictEqual((yield* Daemon.http(daemon, "/pub?topic=test", "taken")).body, "OK")
        assert.deepStrictEqual(yield* Daemon.http(daemon, "/ping"), { status: 200, body: "OK" })
        const consumer = yield* connect(daemon)
        yield* consumer.ask(sub)
        yield* consumer.send({ _tag: "RDY", count: 1 })
        assert.strictEqual(text(yield* consumer.message), "taken")
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon does not start on a data directory that is not writable",
    () =>
      Effect.gen(function*() {
        // Not even root can create files there.
        const { log } = yield* Effect.flip(Daemon.start("/proc"))
        assert.match(log, /FATAL: failed to persist metadata - open \/proc\/nsqd\.journal\.dat: /)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon exits with 1 if it could not write messages when it stopped",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        writeFileSync(`${data}/test.diskqueue.meta.dat`, "0\n0,0\n0,0\n")
        symlinkSync("/dev/full", `${data}/test.diskqueue.000000.dat`)
        const daemon = yield* Daemon.start(data)
        const client = yield* connect(daemon)
        assert.strictEqual(yield* client.ask({ _tag: "PUB", topic, body: body("lost") }), "OK")
        yield* daemon.signal("SIGTERM")
        assert.strictEqual(yield* daemon.exited, 1)
        yield* daemon.logged(/ERROR: TOPIC\(test\): failed to flush - .*no space left on device; messages lost: 1\n/)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon names the port that it cannot open",
    () =>
      Effect.gen(function*() {
        const { log } = yield* Effect.flip(
          Daemon.start(yield* Daemon.temporaryDirectory, [], { tcpPort: 99_999, httpPort: 0 })
        )
        assert.match(log, /listen \(127\.0\.0\.1:99999\) failed - listen tcp: address 99999: invalid port/)
      }).pipe(Effect.scoped),
    timeout
  )

  it.live(
    "a daemon does not start on a data directory that another daemon uses",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        yield* Daemon.start(data)
        const { log } = yield* Effect.flip(Daemon.start(data))
        assert.match(log, /FATAL: failed to instantiate nsqd - failed to lock data-path: .*possibly in use by another/)
      }).pipe(Effect.scoped),
    timeout
  )
})
