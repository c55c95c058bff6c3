/**
 * Starts everything with `npm start` and prints the time from the clone to the first delivered message, in one line. The arguments are
 * the seconds that the clone and the installation took.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const [clone = 0, install = 0] = process.argv.slice(2).map(Number)
const data = mkdtempSync(join(tmpdir(), "first-message-"))
const addresses = ["tcp", "http", "lookupd-tcp", "lookupd-http", "admin-http"]
  .map((name) => `--${name}-address=127.0.0.1:0`)
const begin = performance.now()
// A process group of its own, because npm does not pass signals on.
const child = spawn("npm", ["start", "--silent", "--", `--data-path=${data}`, ...addresses], {
  detached: true,
  stdio: ["ignore", "pipe", "inherit"]
})

/** The address of nsqd's HTTP API, which the daemons print when they are ready. */
const address = () =>
  new Promise((resolve, reject) => {
    let output = ""
    child.stdout.on("data", (text) => {
      output += text
      const [, url] = /^nsqd .* (http:\/\/\S+)/m.exec(output) ?? []
      if (url !== undefined) resolve(url)
    })
    child.once("exit", () => reject(new Error(`npm start ended: ${output}`)))
  })

const deliver = async () => {
  const url = await address()
  await fetch(`${url}/pub?topic=first`, { method: "POST", body: "hello" })
  const { body } = await fetch(`${url}/sub?topic=first&channel=ci`)
  let events = ""
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    events += text
    if (/^event: message\ndata: .*"hello"/m.test(events)) return
  }
  throw new Error(`no message: ${events}`)
}

// npm ends first; the pipe is closed when the daemons have ended too.
const ended = new Promise((resolve) => child.once("close", resolve))
const limitSeconds = 240
const limit = AbortSignal.timeout(limitSeconds * 1000)
limit.addEventListener("abort", () => {
  console.error(`no message within ${limitSeconds} s`)
  process.kill(-child.pid, "SIGKILL")
  process.exit(1)
})
try {
  await deliver()
  const start = (performance.now() - begin) / 1000
  const total = clone + install + start
  console.log(
    `time from clone to first delivered message: ${total.toFixed(1)} s ` +
      `(clone ${clone.toFixed(1)} s, npm ci ${install.toFixed(1)} s, npm start to delivery ${start.toFixed(1)} s)`
  )
} finally {
  process.kill(-child.pid, "SIGTERM")
  // They write to the directory until then.
  await ended
  rmSync(data, { recursive: true, force: true })
}
process.exit(0)
