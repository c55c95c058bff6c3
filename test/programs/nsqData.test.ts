import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs"
import { join, resolve } from "node:path"
import * as Daemon from "../integration/daemon.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsq.ts")
const timeout = 240_000

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs `nsq` to its end. */
const nsq = (...args: ReadonlyArray<string>): Effect.Effect<Ended> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] })
    let out = ""
    let err = ""
    child.stdout.on("data", (chunk) => out += chunk)
    child.stderr.on("data", (chunk) => err += chunk)
    child.on("close", (code) => resume(Effect.succeed({ code, out, err })))
  })

const publish = (daemon: Daemon.Daemon, topic: string, bodies: ReadonlyArray<string>) =>
  Daemon.http(daemon, `/mpub?topic=${topic}`, bodies.join("\n"))

/** A directory in which an nsqd has left two messages of a durable topic and two of another. */
const filled = Effect.gen(function*() {
  const directory = yield* Daemon.temporaryDirectory
  yield* Effect.scoped(Effect.gen(function*() {
    const daemon = yield* Daemon.start(directory, ["--topic-durability=orders=written"])
    for (const topic of ["metrics", "orders"]) {
      yield* Daemon.http(daemon, `/topic/create?topic=${topic}`, "")
      yield* Daemon.http(daemon, `/channel/create?topic=${topic}&channel=c`, "")
      yield* publish(daemon, topic, ["one", "three"])
    }
    yield* Daemon.http(daemon, "/channel/pause?topic=metrics&channel=c", "")
    yield* Daemon.http(daemon, "/pub?topic=orders&defer=100000", "later")
    yield* daemon.signal("SIGTERM")
    assert.strictEqual(yield* daemon.exited, 0)
  }))
  return directory
})

describe("nsq data verify", () => {
  it.live(
    "verify prints a line per topic and channel, and exits with 0 for an intact directory",
    () =>
      Effect.gen(function*() {
        const directory = yield* filled
        assert.deepStrictEqual(yield* nsq("data", "verify", `--data-path=${directory}`), {
          code: 0,
          out: [
            "metrics    queue  messages 0  deferred 0  bytes 0",
            "metrics:c  queue  messages 2  deferred 0  bytes 8  paused",
            "orders     log    messages 0  deferred 0  bytes 0",
            "orders:c   log    messages 2  deferred 1  bytes 13",
            `${directory} is intact`,
            ""
          ].join("\n"),
          err: ""
        })
        const { code, out } = yield* nsq("data", "verify", `--data-path=${directory}`, "--json")
        assert.strictEqual(code, 0)
        const channel = { channel: "c", listed: true }
        assert.deepStrictEqual(JSON.parse(out), {
          data_path: directory,
          intact: true,
          topics: [
            {
              topic: "metrics",
              channel: null,
              storage: "queue",
              paused: false,
              listed: true,
              messages: 0,
              deferred: 0,
              bytes: 0
            },
            { topic: "metrics", ...channel, storage: "queue", paused: true, messages: 2, deferred: 0, bytes: 8 },
            {
              topic: "orders",
              channel: null,
              storage: "log",
              paused: false,
              listed: true,
              messages: 0,
              deferred: 0,
              bytes: 0
            },
            { topic: "orders", ...channel, storage: "log", paused: false, messages: 2, deferred: 1, bytes: 13 }
          ],
          damage: [],
          notes: []
        })
      }),
    { timeout }
  )

  it.live("verify prints each damage and exits with 1", () =>
    Effect.gen(function*() {
      const directory = yield* filled
      const path = join(directory, "metrics:c.diskqueue.000000.dat")
      writeSync(openSync(path, "r+"), "x", readFileSync(path).length - 1)
      const { code, err, out } = yield* nsq("data", "verify", `--data-path=${directory}`)
      assert.deepStrictEqual([code, err], [1, ""])
      assert.include(out, `damage: ${path} at 33: wrong checksum; messages lost: 1\n`)
      assert.include(out, `${directory} is damaged: 1 damage, 1 message lost\n`)
      const json = JSON.parse((yield* nsq("data", "verify", `--data-path=${directory}`, "--json")).out)
      assert.deepStrictEqual(json.damage, [
        { file: path, position: 33, messages_lost: 1, description: "wrong checksum" }
      ])
    }), { timeout })

  it.live("verify exits with 2 while nsqd runs, and if the directory does not exist", () =>
    Effect.gen(function*() {
      const directory = yield* Daemon.temporaryDirectory
      yield* Daemon.start(directory)
      const locked = yield* nsq("data", "verify", `--data-path=${directory}`)
      assert.deepStrictEqual([locked.code, locked.out], [2, ""])
      assert.include(locked.err, "possibly in use by another instance of nsqd")
      const missing = yield* nsq("data", "verify", `--data-path=${directory}/nothing`)
      assert.deepStrictEqual([missing.code, missing.out], [2, ""])
      assert.include(missing.err, "no such file or directory")
    }), { timeout })

  it.live("verify creates no file, and an empty directory is intact", () =>
    Effect.gen(function*() {
      const directory = join(yield* Daemon.temporaryDirectory, "empty")
      mkdirSync(directory)
      assert.strictEqual((yield* nsq("data", "verify", `--data-path=${directory}`)).out, `${directory} is intact\n`)
      assert.deepStrictEqual(readdirSync(directory), [])
    }), { timeout })

  it.live("a wrong command line exits with 2, and help with 0", () =>
    Effect.gen(function*() {
      const { code, err } = yield* nsq("data", "verify")
      assert.deepStrictEqual([code, err], [2, "nsq data verify: --data-path is required\n"])
      assert.strictEqual((yield* nsq("data", "verify", "--nonsense")).code, 2)
      assert.strictEqual((yield* nsq("data", "nonsense")).code, 2)
      assert.strictEqual((yield* nsq("nonsense")).code, 2)
      const help = yield* nsq("data", "verify", "--help")
      assert.strictEqual(help.code, 0)
      assert.include(help.err, "-data-path string")
      assert.include((yield* nsq("data", "--help")).err, "verify")
      assert.include((yield* nsq("--help")).out, "standalone")
    }), { timeout })
})

describe("nsq data export", () => {
  it.live(
    "an nsqd without durable topics delivers everything from an exported directory",
    () =>
      Effect.gen(function*() {
        const directory = yield* filled
        const target = join(yield* Daemon.temporaryDirectory, "target")
        const refused = yield* nsq("data", "export", "--format=nsq", `--data-path=${directory}`, `--to=${target}`)
        assert.deepStrictEqual([refused.code, refused.out], [2, ""])
        assert.include(refused.err, "\n  orders:c  1\n")
        assert.deepStrictEqual(readdirSync(target), [])
        const exported = yield* nsq("data", "export", `--data-path=${directory}`, `--to=${target}`, "--deferred=now")
        assert.deepStrictEqual(exported, {
          code: 0,
          out:
            `orders  messages 0\norders:c  messages 2  deferred 1 (due now)\n${target} has all topics in NSQ's format\n`,
          err: ""
        })
        assert.include(readdirSync(directory), "log")
        const daemon = yield* Daemon.start(target)
        const topics = yield* Daemon.topics(daemon)
        assert.deepStrictEqual(
          topics.map(({ channels, topic_name }) => [
            topic_name,
            channels.map(({ channel_name, depth, paused }) => [channel_name, depth, paused])
          ]),
          [["metrics", [["c", 2, true]]], ["orders", [["c", 3, false]]]]
        )
      }),
    { timeout }
  )

  it.live("an export in place leaves no logs, and a running nsqd prevents it", () =>
    Effect.gen(function*() {
      const directory = yield* filled
      const daemon = yield* Daemon.start(directory, ["--topic-durability=orders=written"])
      const flags = ["data", "export", `--data-path=${directory}`, "--deferred=drop"]
      assert.strictEqual((yield* nsq(...flags)).code, 2)
      yield* daemon.signal("SIGTERM")
      yield* daemon.exited
      assert.strictEqual((yield* nsq(...flags)).code, 0)
      assert.notInclude(readdirSync(directory), "log")
      const { code, out } = yield* nsq("data", "verify", `--data-path=${directory}`)
      assert.strictEqual(code, 0)
      assert.include(out, "orders:c   queue  messages 2  deferred 0  bytes 8\n")
    }), { timeout })
})

describe("nsq data import", () => {
  it.live(
    "an nsqd with durable topics finds everything in an imported directory, and an export restores it",
    () =>
      Effect.gen(function*() {
        const directory = yield* filled
        const path = `--data-path=${directory}`
        const imported = yield* nsq("data", "import", path, "--durability=written", "--topic=met*")
        assert.deepStrictEqual([imported.code, imported.err], [0, ""])
        assert.include(imported.out, "metrics:c  messages 2\n")
        const verified = yield* nsq("data", "verify", path)
        assert.strictEqual(verified.code, 0)
        assert.include(verified.out, "metrics:c  log    messages 2  deferred 0  bytes 8  paused\n")
        yield* Effect.scoped(Effect.gen(function*() {
          const daemon = yield* Daemon.start(directory, ["--durability=written"])
          const [metrics] = yield* Daemon.topics(daemon)
          assert.deepStrictEqual(metrics?.channels.map(({ depth, paused }) => [depth, paused]), [[2, true]])
          yield* daemon.signal("SIGTERM")
          yield* daemon.exited
        }))
        assert.strictEqual((yield* nsq("data", "export", path, "--deferred=drop")).code, 0)
        const restored = (yield* nsq("data", "verify", path)).out
        assert.include(restored, "metrics:c  queue  messages 2  deferred 0  bytes 8  paused\n")
        assert.strictEqual((yield* nsq("data", "import", path, "--topic=a b")).code, 2)
      }),
    { timeout }
  )

  it.live(
    "convert is an export after nsq and an import after log, and needs one of them",
    () =>
      Effect.gen(function*() {
        const neither = yield* nsq("data", "convert")
        assert.deepStrictEqual([neither.code, neither.out], [2, ""])
        assert.match(neither.err, /log or nsq/)
        const directory = yield* filled
        const toNsq = yield* nsq("data", "convert", "nsq", `--data-path=${directory}`, "--deferred=now")
        assert.strictEqual(toNsq.code, 0, toNsq.err)
        assert.isTrue(readdirSync(directory).some((name) => /^orders.*\.dat$/.test(name)))
        const toLog = yield* nsq("data", "convert", "log", `--data-path=${directory}`, "--topic=orders")
        assert.strictEqual(toLog.code, 0, toLog.err)
        assert.isFalse(readdirSync(directory).some((name) => /^orders.*diskqueue/.test(name)))
      }),
    timeout
  )
})
