import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterEach } from "vitest"
import { packageVersion } from "../../src/services/core/Version.ts"
import { killAll } from "./children.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsqlookupd.ts")
let running: Array<ChildProcess> = []

afterEach(async () => {
  await killAll(running)
  running = []
})

/** A running nsqlookupd: its output, and its exit code after its end. */
const start = (flags: ReadonlyArray<string>, environment: Readonly<Record<string, string>> = {}) => {
  const addresses = ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"]
  const child = spawn(process.execPath, [program, ...addresses, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment }
  })
  running.push(child)
  const printed = { out: "", err: "" }
  child.stdout.on("data", (chunk) => printed.out += chunk)
  child.stderr.on("data", (chunk) => printed.err += chunk)
  const code = new Promise<number | null>((resolve) => child.on("close", resolve))
  const logged = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(printed.err)
        if (match !== null) resolve(match[1] ?? match[0])
      }
      child.stderr.on("data", look)
      child.on("close", () => reject(new Error(`ended without ${pattern}: ${printed.err}`)))
      look()
    })
  return { printed, code, logged, kill: (signal: NodeJS.Signals) => child.kill(signal) }
}

const ended = async (...flags: ReadonlyArray<string>) => {
  const { code, printed } = start(flags)
  return { code: await code, ...printed }
}

const fatal = (text: string) => new RegExp(`^\\[nsqlookupd\\] \\d{4}/.* FATAL: ${text}\n$`)

describe("nsqlookupd", () => {
  it("nsqlookupd --version prints the version on standard output and exits with 0", async () => {
    const { code, err, out } = await ended("--version")
    assert.deepStrictEqual([code, err, out], [
      0,
      "",
      `nsqlookupd v1.3.0 (built w/effect-nsq ${packageVersion}, node ${process.version})\n`
    ])
  })

  it("nsqlookupd prints its usage and exits with 0 for -h, and with 2 for an invalid command line", async () => {
    const help = await ended("-h")
    assert.strictEqual(help.code, 0)
    assert.match(help.err, /^Usage of nsqlookupd:\n {2}-config string\n/)
    const wrong = await ended("--mem-queue-size=1")
    assert.strictEqual(wrong.code, 2)
    assert.match(wrong.err, /^flag provided but not defined: -mem-queue-size\nUsage of nsqlookupd:\n/)
  })

  it("nsqlookupd exits with 1 and a FATAL line when it cannot listen", async () => {
    const server = Net.createServer()
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()))
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const { code, err } = await ended(`--tcp-address=127.0.0.1:${port}`, "--log-level=fatal", "--log-prefix=mine ")
    await new Promise((resolve) => server.close(resolve))
    assert.strictEqual(code, 1)
    assert.match(err, fatal(`failed to instantiate nsqlookupd - listen \\(127.0.0.1:${port}\\) failed - .*`))
  })

  it("nsqlookupd takes options from flags, environment and config file, in this order, and warns of deprecated ones", async () => {
    const directory = mkdtempSync(join(tmpdir(), "nsqlookupd-test-"))
    const file = join(directory, "nsqlookupd.cfg")
    writeFileSync(file, `log_prefix = "file "\nbroadcast_address = "file"\ntombstone_lifetime = "soon"\n`)
    const nsqlookupd = start([`--config=${file}`, "--verbose"], { NSQLOOKUPD_BROADCAST_ADDRESS: "environment" })
    const code = await nsqlookupd.code
    assert.strictEqual(code, 1)
    assert.match(nsqlookupd.printed.err, fatal(`failed to load config file ${file} - .* tombstone_lifetime .*`))
    writeFileSync(file, `log_prefix = "file "\nbroadcast_address = "file"\n`)
    const second = start([`--config=${file}`, "--verbose"], { NSQLOOKUPD_BROADCAST_ADDRESS: "environment" })
    const port = Number(await second.logged(/TCP: listening on 127\.0\.0\.1:(\d+)\n/))
    assert.match(second.printed.err, /^file .* WARNING: --verbose is deprecated/m)
    const identity = await new Promise<string>((resolve, reject) => {
      const identity = Buffer.from(`{"broadcast_address":"a","tcp_port":1,"http_port":2,"version":"1"}`)
      const size = Buffer.alloc(4)
      size.writeInt32BE(identity.length)
      const socket = Net.connect(port, "127.0.0.1", () => {
        socket.write(Buffer.concat([Buffer.from("  V1IDENTIFY\n"), size, identity]))
      })
      socket.once("data", (chunk) => {
        resolve(chunk.toString("utf8", 4))
        socket.destroy()
      })
      socket.once("error", reject)
    })
    assert.match(identity, /^\{"broadcast_address":"environment","hostname":".*","http_port":\d+,"tcp_port":\d+,/)
    second.kill("SIGTERM")
    await second.code
    rmSync(directory, { recursive: true, force: true })
  })

  it("nsqlookupd continues after SIGHUP, and exits with 0 on SIGTERM and SIGINT", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const nsqlookupd = start([])
      await nsqlookupd.logged(/TCP: listening on/)
      nsqlookupd.kill("SIGHUP")
      await nsqlookupd.logged(/SIGHUP received/)
      nsqlookupd.kill(signal)
      assert.strictEqual(await nsqlookupd.code, 0)
    }
  })
})
