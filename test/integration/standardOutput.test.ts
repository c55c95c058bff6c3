import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { closeSync, existsSync, openSync } from "node:fs"
import { resolve } from "node:path"
import { TopicName } from "../../src/protocol/client/Names.ts"
import { connect } from "./client.ts"
import * as Daemon from "./daemon.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsq_tail.ts")

/** Runs `nsq_tail` with its output redirected to a file; returns its exit code and log. */
const tailTo = (path: string, daemon: Daemon.Daemon) =>
  Effect.callback<{ readonly code: number | null; readonly log: string }>((resume) => {
    const output = openSync(path, "w")
    const flags = ["--topic=test", "--channel=c", `--nsqd-tcp-address=127.0.0.1:${daemon.tcpPort}`]
    const child = spawn(process.execPath, [program, ...flags], { stdio: ["ignore", output, "pipe"] })
    closeSync(output)
    let log = ""
    child.stderr?.on("data", (text) => (log += text))
    child.once("close", (code) => resume(Effect.succeed({ code, log })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

describe("nsq_tail", () => {
  it.live.skipIf(!existsSync("/dev/full"))(
    "nsq_tail exits with 1 and logs the reason when its output fails",
    () =>
      Effect.gen(function*() {
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
        const client = yield* connect(daemon)
        yield* client.ask({ _tag: "PUB", topic: TopicName.make("test"), body: Buffer.from("m") })
        const { code, log } = yield* tailTo("/dev/full", daemon)
        assert.strictEqual(code, 1)
        assert.match(log, /ERROR: failed to write to os\.Stdout - write \/dev\/stdout: no space left on device/)
        const channelOf = Effect.map(
          Daemon.topics(daemon),
          ([topic]) => topic?.channels.find(({ channel_name }) => channel_name === "c")
        )
        while ((yield* channelOf)?.depth !== 1) yield* Effect.sleep("10 millis")
      }).pipe(Effect.scoped)
  )
})
