/**
 * Installations of the packed package with npm, as an operator does them: for a user, for one run, and in a checkout without the
 * development tools. Packages come from npm's cache if it has them. Run `npm run build` before.
 */
import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"
import { root } from "./entryPoints.ts"
import { isBuilt } from "./project.ts"

const run = promisify(execFile)
const quiet = ["--prefer-offline", "--no-audit", "--no-fund"]
const anyPort = "127.0.0.1:0"

/** Runs nsqd and the other daemons on free ports until its output matches; ends it. Returns the exit code. */
const standalone = (command: string, directory: string): Promise<number | null> =>
  new Promise((resolve) => {
    const child: ChildProcess = spawn(command, [], {
      cwd: directory,
      stdio: ["ignore", "pipe", "ignore"],
      env: {
        ...process.env,
        STANDALONE_TCP_ADDRESS: anyPort,
        STANDALONE_HTTP_ADDRESS: anyPort,
        STANDALONE_LOOKUPD_TCP_ADDRESS: anyPort,
        STANDALONE_LOOKUPD_HTTP_ADDRESS: anyPort,
        STANDALONE_ADMIN_HTTP_ADDRESS: anyPort
      }
    })
    let printed = ""
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed += text
      if (/nsqadmin .*\n/.test(printed)) child.kill("SIGTERM")
    })
    child.once("exit", resolve)
  })

describe.skipIf(!isBuilt)("an installation with npm", () => {
  let directory = ""
  let tarball = ""
  beforeAll(async () => {
    directory = Fs.mkdtempSync(join(tmpdir(), "install-"))
    await run("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { cwd: root })
    tarball = join(directory, Fs.readdirSync(directory).find((name) => name.endsWith(".tgz")) ?? "")
  }, 240_000)
  afterAll(() => Fs.rmSync(directory, { recursive: true, force: true }))

  it("npm install --global puts every program into an empty prefix, and effect-nsq starts all daemons", async () => {
    const prefix = join(directory, "prefix")
    const { stderr } = await run("npm", ["install", "--global", "--prefix", prefix, ...quiet, tarball], {
      cwd: directory
    })
    // npm warns about each package with scripts that it would run.
    assert.notInclude(stderr, "install scripts")
    const { bin }: { bin: Readonly<Record<string, string>> } = JSON.parse(
      Fs.readFileSync(join(root, "package.json"), "utf8")
    )
    assert.deepStrictEqual(Fs.readdirSync(join(prefix, "bin")).toSorted(), Object.keys(bin).toSorted())
    for (const name of ["nsqd", "nsqlookupd", "nsqadmin", "nsq_tail"]) {
      const { stdout } = await run(join(prefix, "bin", name), ["--version"])
      assert.isTrue(stdout.startsWith(`${name} v`), stdout)
    }
    assert.strictEqual(await standalone(join(prefix, "bin/effect-nsq"), directory), 0)
  }, 480_000)

  it("npx runs a daemon without an installation", async () => {
    const args = ["exec", "--yes", ...quiet, `--package=${tarball}`, "--", "effect-nsq", "nsqd", "--version"]
    const { stdout } = await run("npm", args, { cwd: directory })
    assert.match(stdout, /^nsqd v/)
  }, 480_000)

  it(
    "npm ci --omit=dev in a checkout installs what the built programs need, and npx effect-nsq runs them without a build",
    async () => {
      const checkout = join(directory, "checkout")
      for (const name of ["package.json", "package-lock.json", "scripts/prepare.mjs", "dist/bin", "dist/web"]) {
        Fs.cpSync(join(root, name), join(checkout, name), { recursive: true })
      }
      await run("npm", ["ci", "--omit=dev", ...quiet], { cwd: checkout })
      assert.isFalse(Fs.existsSync(join(checkout, "node_modules/vitest")))
      const { stdout } = await run(process.execPath, [join(checkout, "dist/bin/nsq_to_http"), "--version"])
      assert.match(stdout, /^nsq_to_http v/)
      const npx = await run("npm", ["exec", ...quiet, "--", "effect-nsq", "--version"], { cwd: checkout })
      assert.match(npx.stdout, /^nsq v/)
      assert.notInclude(npx.stderr, "prepare")
    },
    480_000
  )
})
