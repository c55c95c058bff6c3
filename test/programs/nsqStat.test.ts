import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { resolve } from "node:path"
import { afterEach, beforeEach } from "vitest"
import { killAll } from "./children.ts"

const program = resolve(import.meta.dirname, "../../src/programs/nsq_stat.ts")

/** The endpoints of an nsqd that `nsq_stat` requests. */
const nsqd = createServer((request, response) => {
  const { port } = nsqd.address() as AddressInfo
  response.end(JSON.stringify(
    request.url === "/info"
      ? { broadcast_address: "127.0.0.1", http_port: port }
      : { topics: [{ topic_name: "t", channels: [{ channel_name: "c", depth: 7 }] }] }
  ))
})
let children: Array<ReturnType<typeof spawn>> = []

beforeEach(async () => {
  nsqd.listen(0, "127.0.0.1")
  await once(nsqd, "listening")
})
afterEach(async () => {
  await killAll(children)
  children = []
  const closed = new Promise((resolve) => nsqd.close(resolve))
  nsqd.closeAllConnections()
  await closed
})

/** A running `nsq_stat` of the channel c. */
const start = (...flags: ReadonlyArray<string>) => {
  const { port } = nsqd.address() as AddressInfo
  const args = [`--nsqd-http-address=127.0.0.1:${port}`, "--topic=t", "--channel=c", "--interval=10ms", ...flags]
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] })
  children.push(child)
  const printed = { out: "", err: "" }
  child.stdout.on("data", (chunk) => printed.out += chunk)
  child.stderr.on("data", (chunk) => printed.err += chunk)
  const code = new Promise<number | null>((resolve) => child.on("close", resolve))
  return { child, code, printed }
}

describe("nsq_stat", () => {
  it("nsq_stat prints --count lines and exits with 0", async () => {
    const { code, printed } = start("--count=2")
    assert.strictEqual(await code, 0)
    assert.strictEqual(printed.err, "")
    assert.lengthOf(printed.out.trimEnd().split("\n"), 4)
  })

  it("nsq_stat exits with 0 on SIGHUP, SIGINT and SIGTERM", async () => {
    for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
      const { child, code, printed } = start()
      await once(child.stdout, "data")
      child.kill(signal)
      assert.strictEqual(await code, 0, `${signal}: ${printed.err}`)
    }
  })

  it("nsq_stat ends silently when the reader of its output is gone", async () => {
    const { child, code, printed } = start()
    await once(child.stdout, "data")
    child.stdout.destroy()
    assert.strictEqual(await code, 141)
    assert.strictEqual(printed.err, "")
  })

  it("nsq_stat prints why it ends, after the time, and exits with 1", async () => {
    const { code, printed } = start("--count=0")
    assert.strictEqual(await code, 1)
    assert.match(printed.err, /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d --count should be positive\n$/)
  })

  it("nsq_stat prints why it ends as JSON with --log-format=json", async () => {
    const { code, printed } = start("--count=0", "--log-format=json")
    assert.strictEqual(await code, 1)
    const { time, ...rest } = JSON.parse(printed.err)
    assert.match(time, /^\d{4}-\d\d-\d\dT/)
    assert.deepStrictEqual(rest, { level: "fatal", prefix: "", message: "--count should be positive" })
  })
})
