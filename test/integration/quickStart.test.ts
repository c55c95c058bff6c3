import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { exitOf, temporaryDirectory } from "./daemon.ts"

/**
 * The commands of NSQ's quick start, word for word. Each daemon gets a directory of its own, because of the lock on the
 * data directory.
 */
const daemons = [
  "nsqlookupd",
  "nsqd --lookupd-tcp-address=127.0.0.1:4160",
  "nsqd --lookupd-tcp-address=127.0.0.1:4160 -tcp-address=0.0.0.0:4152 -http-address=0.0.0.0:4153",
  "nsqadmin --lookupd-http-address=127.0.0.1:4161",
  "nsq_to_file --topic=test --output-dir=/tmp --lookupd-http-address=127.0.0.1:4161"
]
const publish = "curl -d 'hello world 1' 'http://127.0.0.1:4151/put?topic=test'"
const look = "curl -s http://127.0.0.1:4151/stats"

/** Creates the programs for PATH; they run from their sources. */
const programsIn = (directory: string): string => {
  const bin = join(directory, "bin")
  mkdirSync(bin)
  for (const name of ["nsqlookupd", "nsqd", "nsqadmin", "nsq_to_file"]) {
    const source = resolve(import.meta.dirname, `../../src/programs/${name}.ts`)
    writeFileSync(join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${source}' "$@"\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return bin
}

const start = (line: string, bin: string, directory: string): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(directory)
      const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
      return spawn("sh", ["-c", `exec ${line}`], { cwd: directory, env, stdio: ["ignore", "ignore", "pipe"] })
    }),
    (child) => Effect.andThen(Effect.sync(() => void child.kill("SIGTERM")), exitOf(child))
  )

const logged = (child: ChildProcess, pattern: RegExp): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let log = ""
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text
      if (pattern.test(log)) resume(Effect.void)
    })
    child.stderr?.once("end", () => resume(Effect.die(new Error(`ended: ${log}`))))
  })

const shell = (line: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    execFile("sh", ["-c", line], (error, stdout) => resume(error === null ? Effect.succeed(stdout) : Effect.die(error)))
  })

/** The topic's files in /tmp with their sizes by path; there can be files of earlier runs. */
const written = (): ReadonlyMap<string, number> =>
  new Map(
    readdirSync("/tmp").filter((name) => /^test\..*\.log$/.test(name)).map((name) => {
      const path = join("/tmp", name)
      return [path, statSync(path).size]
    })
  )

const hasCurl = spawnSync("curl", ["--version"]).status === 0

describe("the quick start of every guide", () => {
  it.live.skipIf(!hasCurl)(
    "NSQ's quick start works word for word",
    () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const bin = programsIn(directory)
        const before = written()
        yield* Effect.addFinalizer(() =>
          Effect.sync(() => {
            for (const path of written().keys()) if (!before.has(path)) rmSync(path)
          })
        )
        const [lookupd = "", nsqd = "", other = "", admin = "", toFile = ""] = daemons
        yield* logged(yield* start(lookupd, bin, join(directory, "1")), /TCP: listening/)
        yield* logged(yield* start(nsqd, bin, join(directory, "2")), /peer info|TCP: listening/)
        yield* logged(yield* start(other, bin, join(directory, "3")), /TCP: listening/)
        yield* logged(yield* start(admin, bin, join(directory, "5")), /HTTP: listening/)
        assert.match(yield* shell("curl -s http://127.0.0.1:4171/"), /<title>nsqadmin<\/title>/)
        assert.strictEqual(yield* shell(publish), "OK")
        assert.match(yield* shell(look), /\[test +\] depth: 1 /)
        yield* start(toFile, bin, join(directory, "4"))
        const hasArrived = Effect.sync(() =>
          Array.from(written().keys()).some((path) =>
            readFileSync(path).subarray(before.get(path) ?? 0).includes("hello world 1")
          )
        )
        yield* hasArrived.pipe(Effect.delay("50 millis"), Effect.repeat({ until: (arrived) => arrived }))
      }).pipe(Effect.scoped),
    480_000
  )
})
