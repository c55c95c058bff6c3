import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, FileSystem } from "effect"
import { runAlone } from "./cli.ts"

/** Writes a file into a directory that is removed with the Scope. */
const file = Effect.fnUntraced(function*(text: string) {
  const files = yield* FileSystem.FileSystem
  const path = `${yield* files.makeTempDirectoryScoped()}/daemon.cfg`
  yield* files.writeFileString(path, text)
  return path
}, Effect.provide(NodeServices.layer))

const failure = (exit: Exit.Exit<void, unknown>): string => Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""

describe("nsq config", () => {
  it.effect("check accepts what the daemon accepts, and prints its warnings", () =>
    Effect.gen(function*() {
      const path = yield* file("mem_queue_size = 0\nlog-level = \"info\"\n")
      const { out } = yield* runAlone(["config", "check", "nsqd", path])
      assert.strictEqual(
        out,
        `warning: log-level in the config file should be log_level\n${path}: 1 options, valid`
      )
    }))

  it.effect("check refuses what the daemon refuses, with its reason", () =>
    Effect.gen(function*() {
      const unknown = yield* runAlone(["config", "check", "nsqlookupd", yield* file("nope = 1\n")])
      assert.include(failure(unknown.exit), "unknown key \"nope\"")
      const refused = yield* runAlone(["config", "check", "nsqd", yield* file("max_deflate_level = 10\n")])
      assert.include(failure(refused.exit), "--max-deflate-level must be [1,9]")
    }))

  it.effect("migrate writes a config file with the same options, and explains each", () =>
    Effect.gen(function*() {
      const flags = ["--mem-queue-size=0", "--lookupd-tcp-address=a:1", "--log-level=debug", "--tls-min-version=tls1.3"]
      const { out } = yield* runAlone(["config", "migrate", "nsqd", "--", ...flags])
      assert.include(out, "# messages to keep in memory, per topic and per channel")
      for (const line of ["mem_queue_size = 0", "log_level = \"DEBUG\"", "nsqlookupd_tcp_addresses = [ \"a:1\" ]"]) {
        assert.include(out.split("\n"), line)
      }
      const json = yield* runAlone([
        "config",
        "migrate",
        "nsqd",
        "--json",
        "--",
        "--mem-queue-size=0",
        "--log-level=debug"
      ])
      assert.deepStrictEqual(JSON.parse(json.out), {
        daemon: "nsqd",
        options: { mem_queue_size: 0, log_level: "DEBUG" },
        warnings: []
      })
      const again = yield* runAlone(["config", "migrate", "nsqd", "--from", yield* file(out)])
      assert.strictEqual(again.out, out)
    }))
})
