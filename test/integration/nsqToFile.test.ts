import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { constants, gunzipSync } from "node:zlib"
import { TopicName } from "../../src/protocol/client/Names.ts"
import { connect } from "./client.ts"
import * as Daemon from "./daemon.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsq_to_file.ts")
const topic = TopicName.make("test")

const start = (daemon: Daemon.Daemon, directory: string, flags: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [
        program,
        "--topic=test",
        `--nsqd-tcp-address=127.0.0.1:${daemon.tcpPort}`,
        `--output-dir=${directory}`,
        "--filename-format=<TOPIC><REV>.log",
        "--sync-interval=200ms",
        ...flags
      ], { stdio: "ignore" })
    ),
    (child) => Effect.andThen(Effect.sync(() => void child.kill("SIGKILL")), Daemon.exitOf(child))
  )

/** Completes once the channel has finished at least this many messages. */
const finished = (daemon: Daemon.Daemon, count: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const [stats] = yield* Daemon.topics(daemon)
    const channel = stats?.channels.find(({ channel_name }) => channel_name === "nsq_to_file")
    if (channel === undefined) return false
    return channel.message_count - channel.depth - channel.in_flight_count - channel.deferred_count >= count
  }).pipe(Effect.delay("20 millis"), Effect.repeat({ until: (done) => done }), Effect.asVoid)

const lines = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory).flatMap((name) => {
    const bytes = readFileSync(`${directory}/${name}`)
    // The kill may truncate the last gzip member of a file.
    const text = name.endsWith(".gz") ? gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }) : bytes
    return text.toString().split("\n")
  })

const publish = Effect.fnUntraced(function*(
  daemon: Daemon.Daemon,
  from: number,
  to: number
): Effect.fn.Return<void, never, Scope.Scope> {
  const client = yield* connect(daemon)
  for (let at = from; at < to; at += 100) {
    const [first, ...rest] = Array.from({ length: 100 }, (_, i) => Buffer.from(`message ${at + i}`))
    if (first !== undefined) yield* client.ask({ _tag: "MPUB", topic, bodies: [first, ...rest] })
  }
})

describe("nsq_to_file", () => {
  for (const flags of [["--rotate-size=20000"], ["--gzip", "--rotate-size=20000"]]) {
    it.live(
      `nsq_to_file has every acknowledged message in its files after kill -9 (${flags.join(" ")})`,
      () =>
        Effect.gen(function*() {
          const total = 10_000
          const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
          const directory = yield* Daemon.temporaryDirectory
          yield* publish(daemon, 0, total)
          const first = yield* start(daemon, directory, [...flags, "--max-in-flight=50"])
          yield* finished(daemon, 1000)
          first.kill("SIGKILL")
          yield* Daemon.exitOf(first)
          const second = yield* start(daemon, directory, [...flags, "--max-in-flight=50"])
          yield* finished(daemon, total)
          second.kill("SIGTERM")
          assert.strictEqual(yield* Daemon.exitOf(second), 0)
          const written = new Set(lines(directory))
          const missing = Array.from({ length: total }, (_, i) => `message ${i}`).filter((line) => !written.has(line))
          assert.deepStrictEqual(missing, [])
        }).pipe(Effect.scoped),
      480_000
    )
  }
})
