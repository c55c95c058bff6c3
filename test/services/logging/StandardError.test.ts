import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { join } from "node:path"
import process from "node:process"
import type { Readable, Writable } from "node:stream"
import { until } from "../../../src/testing/index.ts"

const module = join(import.meta.dirname, "../../../src/services/logging/StandardError.ts")

/**
 * A process that runs `onRequest` for each request and then replies. Its standard error is not read before `read`.
 */
const program = Effect.fnUntraced(function*(onRequest: string) {
  const script = `
    import * as Fs from "node:fs"
    import { writeLine } from ${JSON.stringify(module)}
    process.stdin.on("data", () => { ${onRequest}; Fs.writeSync(1, "done\\n") })`
  const child = yield* Effect.acquireRelease(
    Effect.sync((): ChildProcessByStdio<Writable, Readable, Readable> =>
      spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["pipe", "pipe", "pipe"] })
    ),
    (each) => Effect.sync(() => void each.kill())
  )
  const replies = yield* Queue.unbounded<string>()
  child.stdout.on("data", (chunk) => void Queue.offerUnsafe(replies, String(chunk)))
  let text = ""
  return {
    child,
    request: Effect.andThen(Effect.sync(() => void child.stdin.write("go\n")), Queue.take(replies)),
    read: Effect.sync(() => void child.stderr.on("data", (chunk) => (text += String(chunk)))),
    lines: () => text.split("\n").slice(0, -1)
  }
})

describe("standard error", () => {
  it.live("lines are written whole and in order, even if the process exits immediately", () =>
    Effect.gen(function*() {
      const { child, lines, read } = yield* program(`
        for (let i = 0; i < 100; i++) writeLine("line " + i + " é")
        process.exit(3)`)
      yield* read
      child.stdin.write("go\n")
      const code = yield* Effect.callback<number | null>((resume) => {
        child.once("close", (code) => resume(Effect.succeed(code)))
      })
      assert.strictEqual(code, 3)
      assert.deepStrictEqual(lines(), Array.from({ length: 100 }, (_, i) => `line ${i} é`))
    }).pipe(Effect.scoped))

  it.live("a process whose standard error is not read continues, and states later how many lines were lost", () =>
    Effect.gen(function*() {
      const { lines, read, request } = yield* program(`
        globalThis.count ??= 0
        for (let i = 0; i < 2000; i++) writeLine("line " + count++ + " " + "x".repeat(1000))`)
      // Far more than the pipe takes: one line waits for its limit, and the rest are dropped.
      assert.strictEqual(yield* request, "done\n")
      yield* read
      const report = () => lines().find((line) => line.includes("were lost"))
      let requests = 1
      while (report() === undefined) {
        yield* request
        requests++
      }
      yield* until(() => lines().some((line) => line.startsWith(`line ${2000 * requests - 1} `)))
      const lost = Number(/^(\d+) log lines were lost because standard error was not read$/.exec(report() ?? "")?.[1])
      const written = lines().filter((line) => /^line \d+ x{1000}$/.test(line))
      assert.strictEqual(written.length + lost, 2000 * requests)
      assert.strictEqual(lines().length, written.length + 1)
    }).pipe(Effect.scoped))

  it.live("a process whose standard error is closed continues", () =>
    Effect.gen(function*() {
      const { child, request } = yield* program(`writeLine("a line")`)
      yield* Effect.callback<void>((resume) => {
        child.stderr.once("close", () => resume(Effect.void))
        child.stderr.destroy()
      })
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* request, "done\n")
      assert.isNull(child.exitCode)
    }).pipe(Effect.scoped))
})
