import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { isAbsolute, join, resolve } from "node:path"
import { afterEach, beforeEach } from "vitest"
import { packageVersion } from "../../src/services/core/Version.ts"

const programs = resolve(import.meta.dirname, "../../src/programs")

let directory = ""

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "standalone-"))
})

afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Runs a program to its end; `until` stops it when its standard output matches. */
const run = async (
  [program = "", ...args]: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>> = {},
  until?: RegExp
) => {
  const path = isAbsolute(program) ? program : join(programs, `${program}.ts`)
  const child = spawn(process.execPath, [path, ...args], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment }
  })
  const printed = { out: "", err: "" }
  child.stdout.on("data", (chunk) => {
    printed.out += chunk
    if (until?.test(printed.out) === true) child.kill("SIGTERM")
  })
  child.stderr.on("data", (chunk) => printed.err += chunk)
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  return { code, ...printed }
}

const anyPort = "127.0.0.1:0"

describe("standalone", () => {
  it("standalone takes its options from the environment, prints the addresses of the daemons, and exits with 0 after SIGTERM", async () => {
    const { code, err, out } = await run(
      ["standalone", "--log-level=info", `--tcp-address=${anyPort}`, `--http-address=${anyPort}`],
      {
        STANDALONE_LOOKUPD_TCP_ADDRESS: anyPort,
        STANDALONE_LOOKUPD_HTTP_ADDRESS: anyPort,
        STANDALONE_ADMIN_HTTP_ADDRESS: anyPort,
        STANDALONE_LOG_PREFIX: "mine "
      },
      /nsqadmin .*\n/
    )
    assert.strictEqual(code, 0)
    assert.match(
      out,
      /^nsqd +tcp 127\.0\.0\.1:\d+ +http http:.*:\d+\nnsqlookupd +tcp .*:\d+ +http http:.*\nnsqadmin +http:.*\n$/
    )
    assert.match(err, /^mine .* INFO: /)
  })

  it("effect-nsq without arguments, as npx starts it, is standalone, and nsq with the name of a program is that program", async () => {
    const link = join(directory, "effect-nsq")
    symlinkSync(join(programs, "nsq.ts"), link)
    const started = await run([link], {
      STANDALONE_TCP_ADDRESS: anyPort,
      STANDALONE_HTTP_ADDRESS: anyPort,
      STANDALONE_LOOKUPD_TCP_ADDRESS: anyPort,
      STANDALONE_LOOKUPD_HTTP_ADDRESS: anyPort,
      STANDALONE_ADMIN_HTTP_ADDRESS: anyPort
    }, /nsqadmin .*\n/)
    assert.strictEqual(started.code, 0)
    assert.match(started.out, /^nsqd +tcp /)
    for (const program of [[link, "nsqd"], ["nsq", "nsqlookupd"], ["nsq", "nsq_tail"]]) {
      const { out } = await run([...program, "--version"])
      assert.isTrue(out.startsWith(`${program[1]} v`), out)
    }
  })

  it("standalone and nsq standalone have --version, --help and errors like the daemons", async () => {
    for (const program of [["standalone"], ["nsq", "standalone"]]) {
      const version = await run([...program, "--version"])
      assert.deepStrictEqual([version.code, version.out, version.err], [
        0,
        `standalone v1.3.0 (built w/effect-nsq ${packageVersion}, node ${process.version})\n`,
        ""
      ])
      const help = await run([...program, "--help"])
      assert.deepStrictEqual([help.code, help.out], [0, ""])
      assert.match(help.err, /^Usage of standalone:\n {2}-admin-http-address string\n/)
      const unknown = await run([...program, "--nope"])
      assert.strictEqual(unknown.code, 2)
      assert.match(unknown.err, /^flag provided but not defined: -nope\nUsage of standalone:\n/)
      const missing = await run([...program, "--config=/does/not/exist"])
      assert.strictEqual(missing.code, 1)
      assert.match(missing.err, /^\[standalone\] .* FATAL: failed to load config file \/does\/not\/exist - open /)
    }
  }, 120_000)
})
