import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { resolve } from "node:path"

const bin = resolve(import.meta.dirname, "../../dist/bin")

/** Prints the names of all modules of Node that the program has loaded when it exits. */
const reporter = `import process from "node:process"
process.on("exit", () => process.stderr.write("\\n" + process.moduleLoadList.join("\\n")))`

/** Returns the modules that a built program loads before it reads its command line. */
const modulesAtStart = (program: string) =>
  Effect.callback<ReadonlySet<string>>((resume) => {
    const preload = `data:text/javascript,${encodeURIComponent(reporter)}`
    const child = execFile(process.execPath, ["--import", preload, resolve(bin, program), "--help"], (_, __, log) => {
      const names = log.split("\n").filter((line) => line.startsWith("NativeModule "))
      resume(Effect.succeed(new Set(names.map((line) => line.slice("NativeModule ".length)))))
    })
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** `fetch` with HTTP/2, and Web Crypto, which an import of `node:http` and `node:crypto` loads. */
const unneeded = ["internal/deps/undici/undici", "http2", "internal/crypto/webcrypto"]

describe.skipIf(!existsSync(bin))("built programs", () => {
  for (const program of ["nsqd", "nsqlookupd", "nsqadmin", "nsq_to_http", "nsq_stat"]) {
    it.live(`${program} starts without modules of Node that it does not use`, () =>
      Effect.gen(function*() {
        const loaded = yield* modulesAtStart(program)
        assert.isTrue(loaded.has("net"))
        assert.deepStrictEqual(unneeded.filter((name) => loaded.has(name)), [])
      }))
  }

  for (const program of ["nsqd", "nsqlookupd"]) {
    it.live(`${program} loads TLS only when it is used`, () =>
      Effect.gen(function*() {
        assert.isFalse((yield* modulesAtStart(program)).has("tls"))
      }))
  }
})
