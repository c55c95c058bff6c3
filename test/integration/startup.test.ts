import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
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

const oldNode = `Object.defineProperty(process, "version", { value: "v18.20.8" })`

/** Runs a built program as on an old Node; returns its exit code and what it prints. */
const onOldNode = (program: string) =>
  Effect.callback<readonly [code: unknown, out: string, err: string]>((resume) => {
    const preload = `data:text/javascript,${encodeURIComponent(oldNode)}`
    const child = execFile(process.execPath, ["--import", preload, resolve(bin, program)], (error, out, err) => {
      resume(Effect.succeed([error?.code, out, err]))
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

  it.live("every program says in one line that an old Node cannot run it, and which one can", () =>
    Effect.gen(function*() {
      const programs = Object.keys(JSON.parse(readFileSync(resolve(bin, "../../package.json"), "utf8")).bin)
        .filter((name) => name !== "effect-nsq")
      for (const program of programs) {
        const why =
          `${program} cannot run on Node v18.20.8: it needs Node 22.19 or later; install a newer version of Node\n`
        assert.deepStrictEqual(yield* onOldNode(program), [1, "", why])
      }
    }))

  it("the executable of a program imports nothing before it has checked the version of Node", () => {
    const text = readFileSync(resolve(bin, "nsqd"), "utf8")
    assert.notMatch(text, /^\s*import\b(?!\()/m)
    assert.isBelow(text.length, 2000)
  })

  for (const program of ["nsqd", "nsqlookupd"]) {
    it.live(`${program} loads TLS only when it is used`, () =>
      Effect.gen(function*() {
        assert.isFalse((yield* modulesAtStart(program)).has("tls"))
      }))
  }
})
