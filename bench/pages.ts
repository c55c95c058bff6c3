/**
 * `node bench/pages.ts`: every page of nsqadmin in Chromium with a large cluster under load, as a table: the time until the page shows
 * what an operator reads, the longest task of the page, and the longest delay of nsqadmin's event loop; then the largest responses of its
 * API. README.md has the conditions.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import type { Browser, CDPSession, Locator, Page } from "playwright-core"
import { withBrowser, withDaemons } from "./admin.ts"
import { type Daemon, request, withAdmin, withDirectory, withLookupd } from "./daemon.ts"
import * as Load from "./load.ts"
import { sleep } from "./load/worker.ts"
import { machine } from "./table.ts"

const { values } = parseArgs({
  options: {
    bin: { type: "string", default: Path.join(import.meta.dirname, "..", "dist", "bin", "nsqd") },
    seconds: { type: "string", default: "11" },
    only: { type: "string", default: "" },
    profile: { type: "string", default: "" }
  }
})

const nodes = 6
const topics = Array.from({ length: 2000 }, (_, i) => `topic_${i}`)
const channels = ["c0", "c1", "c2"]
/** Topics with consumers: 900 connections to each nsqd. */
const consumed = 300
/** Messages per second on each nsqd: a topic has one every five seconds, the default of nsqadmin's samples. */
const rate = 400
const startSecondsMax = 120

/** NSQ's metadata file of all topics. */
const prepare = (directory: string): void => {
  const all = topics.map((name) => ({
    name,
    paused: false,
    channels: channels.map((name) => ({ name, paused: false }))
  }))
  Fs.writeFileSync(Path.join(directory, "nsqd.dat"), JSON.stringify({ topics: all, version: "1.3.0" }))
}

/** Warnings need half a minute of samples. */
const isReady = async (admin: Daemon): Promise<boolean> => {
  const metrics = await request(admin.httpPort, "GET", "/metrics")
  return /^nsqadmin_warnings\{kind="[a-z]+_channel".*\} [1-9]/m.test(metrics) &&
    metrics.includes(`nsqadmin_topics ${topics.length}\n`) &&
    (metrics.match(/^nsqadmin_daemon_up\{.*kind="nsqd".*\} 1$/gm) ?? []).length === nodes
}

const awaitReady = async (admin: Daemon): Promise<void> => {
  const until = performance.now() + startSecondsMax * 1000
  while (!await isReady(admin)) {
    if (performance.now() > until) throw new Error("nsqadmin does not know all topics and nsqds, or has no warnings")
    await sleep(200)
  }
}

interface Measured {
  readonly name: string
  readonly path: (node: string) => string
  /** What an operator reads. */
  readonly content: (page: Page) => Locator
  /** What an operator does there. */
  readonly use?: (page: Page) => Promise<void>
}

/** Waits until it is visible. Playwright itself looks less and less often, at last every 500 ms, which would count as the page's time. */
const visible = async (content: Locator): Promise<void> => {
  while (!await content.isVisible()) await sleep(10)
}

const row = (table: string) => (page: Page) => page.getByRole("table", { name: table }).locator("tbody th").first()

const filter = (text: string) => async (page: Page): Promise<void> => {
  await page.getByLabel("Filter").pressSequentially(text, { delay: 60 })
  await page.getByLabel("Filter").fill("")
}

const usePalette = async (page: Page): Promise<void> => {
  await page.keyboard.press("Control+k")
  await page.keyboard.type("topic_199 c2", { delay: 60 })
  await page.getByRole("option").first().waitFor()
  await page.keyboard.press("Escape")
}

const scroll = async (page: Page): Promise<void> => {
  await page.mouse.move(400, 400)
  for (let i = 0; i < 30; i++) {
    await page.mouse.wheel(0, 900)
    await sleep(60)
  }
}

const measured: ReadonlyArray<Measured> = [
  {
    name: "topics",
    path: () => "/",
    content: (page) => page.getByRole("link", { name: /^topic_/ }).first(),
    use: async (page) => {
      await scroll(page)
      await filter("topic_19")(page)
      await page.getByRole("button", { name: "In /s" }).click()
      await usePalette(page)
    }
  },
  { name: "topic", path: () => "/topics/topic_7", content: row("Channels"), use: scroll },
  { name: "channel", path: () => "/topics/topic_7/c0", content: row("Consumers"), use: scroll },
  {
    name: "messages",
    path: () => "/messages/topic_7",
    content: (page) => page.getByText(/ searched/)
  },
  { name: "policies", path: () => "/policies", content: (page) => page.getByText("No nsqd has a policy.") },
  {
    name: "nodes",
    path: () => "/nodes",
    content: row("nsqd nodes"),
    use: async (page) => {
      await page.getByRole("table", { name: "Versions and topics" }).locator("summary").last().click()
      await scroll(page)
    }
  },
  {
    name: "node",
    path: (node) => `/nodes/${node}`,
    content: (page) => page.locator("summary", { hasText: /topic_/ }).first(),
    use: async (page) => {
      await filter("topic_19")(page)
      await page.locator("summary", { hasText: "topic_" }).first().click()
      await page.locator("summary", { hasText: "Connections" }).click()
      await page.getByRole("table", { name: "Connections" }).waitFor()
      await scroll(page)
    }
  },
  {
    name: "client",
    path: (node) => `/nodes/${node}/clients/${clientAddress}`,
    content: (page) => page.locator("main dl").first()
  },
  { name: "counter", path: () => "/counter", content: (page) => page.locator(".counter .digit").nth(3) },
  { name: "lookup", path: () => "/lookup", content: (page) => page.getByText("Every topic in nsqlookupd") },
  { name: "warnings", path: () => "/warnings", content: (page) => page.locator(".warnings li").first() },
  { name: "daemons", path: () => "/daemons", content: row("Daemons of the cluster") }
]

let clientAddress = ""

/** A time on the clock and, of that, the CPU time, in ms. On a busy machine the first includes the time of other processes. */
type Pair = readonly [wall: number, cpu: number]

interface Result {
  readonly name: string
  readonly shown: number
  /** The longest task of the page's main thread. */
  readonly task: Pair
  /** The longest round of nsqadmin's event loop. */
  readonly delay: Pair
  /** Bytes that the browser has received after compression. */
  readonly bytes: number
}

/** Returns the longest delay of nsqadmin's event loop since a time, and the longest CPU time of a round. */
const delaysSince = (file: string, since: number): Pair => {
  let longest: Pair = [0, 0]
  for (const line of Fs.readFileSync(file, "utf8").split("\n")) {
    const [at = 0, delay = 0, cpu = 0] = line.split(" ").map(Number)
    if (at >= since) longest = [Math.max(longest[0], delay), Math.max(longest[1], cpu)]
  }
  return longest
}

interface TraceEvent {
  readonly name: string
  readonly pid: number
  readonly tid: number
  /** Microseconds. */
  readonly dur?: number
  readonly tdur?: number
  readonly args?: { readonly name?: string; readonly data?: { readonly url?: string } }
}

/** Collects the tasks of the main thread of the page at `base`. The browser has pages of its own, also without a window. */
const traceTasks = async (session: CDPSession, base: string): Promise<() => Promise<Pair>> => {
  const events: Array<TraceEvent> = []
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value as unknown as ReadonlyArray<TraceEvent>))
  await session.send("Tracing.start", {
    traceConfig: { includedCategories: ["disabled-by-default-devtools.timeline", "devtools.timeline", "__metadata"] },
    transferMode: "ReportEvents"
  })
  return async () => {
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve))
    await session.send("Tracing.end")
    await complete
    const processes = new Set(
      events.filter(({ args }) => args?.data?.url?.startsWith(base) === true).map(({ pid }) => pid)
    )
    const threads = new Set(
      events.filter(({ args, name, pid }) =>
        name === "thread_name" && args?.name === "CrRendererMain" && processes.has(pid)
      ).map(({ pid, tid }) => `${pid} ${tid}`)
    )
    const tasks = events.filter(({ name, pid, tid }) => name === "RunTask" && threads.has(`${pid} ${tid}`))
    const longest = (of: (event: TraceEvent) => number | undefined): number =>
      tasks.reduce((max, event) => Math.max(max, (of(event) ?? 0) / 1000), 0)
    return [longest(({ dur }) => dur), longest(({ tdur }) => tdur)]
  }
}

const seconds = Number(values.seconds)

const measure = async (
  browser: Browser,
  base: string,
  node: string,
  delays: string,
  { content, name, path, use }: Measured
): Promise<Result> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
  try {
    const page = await context.newPage()
    const session = await context.newCDPSession(page)
    let bytes = 0
    session.on("Network.dataReceived", ({ encodedDataLength }) => (bytes += encodedDataLength))
    await session.send("Network.enable")
    if (values.profile !== "") {
      await session.send("Profiler.enable")
      await session.send("Profiler.start")
    }
    const traced = await traceTasks(session, base)
    const [since, started] = [Date.now(), performance.now()]
    await page.goto(`${base}${path(node)}`)
    await visible(content(page))
    const shown = performance.now() - started
    if (use !== undefined) await use(page)
    await sleep(Math.max(0, seconds * 1000 - (performance.now() - started)))
    if (values.profile !== "") {
      const { profile } = await session.send("Profiler.stop")
      Fs.writeFileSync(Path.join(values.profile, `${name}.cpuprofile`), JSON.stringify(profile))
    }
    return { name, shown, task: await traced(), delay: delaysSince(delays, since), bytes }
  } finally {
    await context.close()
  }
}

/** NSQ's API, whose responses have everything: programs of others use it. */
const requests = (node: string): ReadonlyArray<string> => [
  `/api/nodes/${node}`,
  "/api/nodes",
  "/api/counter",
  "/api/clients",
  "/metrics"
]

const measureRequest = async (port: number, path: string, delays: string): Promise<Result> => {
  const [since, started] = [Date.now(), performance.now()]
  const body = await request(port, "GET", path)
  const shown = performance.now() - started
  // The figures of the last tenth of a second follow.
  await sleep(300)
  return { name: `GET ${path}`, shown, task: [0, 0], delay: delaysSince(delays, since), bytes: body.length }
}

const wanted = values.only === "" ? measured : measured.filter(({ name }) => values.only.split(",").includes(name))
const command = values.bin.split(/\s+/)

const results = await withDirectory((directory) =>
  withLookupd(command, (lookupd) =>
    withDaemons(
      nodes,
      command,
      async (daemons) => {
        const ports = daemons.map(({ tcpPort }) => tcpPort)
        const job: Load.Job = ["busy", { ports, topics, channels, consumed, rate }]
        const delays = Path.join(directory, "delays")
        const flags = [
          `--lookupd-http-address=127.0.0.1:${lookupd.httpPort}`,
          `--history-dir=${Path.join(directory, "history")}`
        ]
        const preload = Path.join(import.meta.dirname, "load", "delay.ts")
        const profiling = values.profile === "" ? "" : ` --cpu-prof --cpu-prof-dir=${values.profile}`
        const env = { BENCH_DELAYS: delays, NODE_OPTIONS: `--import=${preload}${profiling}` }
        const all: Array<Result> = []
        await Load.beside(job, () =>
          withAdmin(command, flags, (admin) =>
            withBrowser(async (browser) => {
              await awaitReady(admin)
              const [first] = daemons
              if (first === undefined) throw new Error("no daemon")
              const clients = JSON.parse(await request(first.httpPort, "GET", "/clients")) as {
                readonly clients: ReadonlyArray<{ readonly remote_address: string }>
              }
              clientAddress = clients.clients[0]?.remote_address ?? ""
              const base = `http://127.0.0.1:${admin.httpPort}`
              for (const one of wanted) {
                const result = await measure(browser, base, `127.0.0.1:${first.httpPort}`, delays, one)
                process.stderr.write(`${JSON.stringify(result)}\n`)
                all.push(result)
              }
              if (values.only !== "" && !values.only.split(",").includes("api")) return
              for (const path of requests(`127.0.0.1:${first.httpPort}`)) {
                const result = await measureRequest(admin.httpPort, path, delays)
                process.stderr.write(`${JSON.stringify(result)}\n`)
                all.push(result)
              }
            }), env))
        return all
      },
      [`--lookupd-tcp-address=127.0.0.1:${lookupd.tcpPort}`],
      prepare
    ))
)

const text = (millis: number): string => `${Math.round(millis)} ms`

const cells = results.map(({ bytes, delay, name, shown, task }) => [
  name,
  ...[shown, ...task, ...delay].map(text),
  `${Math.round(bytes / 1000).toLocaleString("en-US")} kB`
])
const header = [
  "page",
  "shown after",
  "longest task",
  "its CPU time",
  "longest delay of nsqadmin",
  "its CPU time",
  "received"
]
const widths = header.map((title, i) => Math.max(title.length, ...cells.map((line) => line[i]?.length ?? 0)))
const line = (texts: ReadonlyArray<string>): string =>
  `| ${texts.map((text, i) => i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0)).join(" | ")} |\n`
process.stdout.write(
  `${new Date().toISOString().slice(0, 10)}; ${machine()}; Node ${process.versions.node}. ` +
    `${topics.length} topics x ${channels.length} channels x ${nodes} nsqds, ${seconds} s on each page.\n\n` +
    `${line(header)}${line(widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`))}` +
    cells.map(line).join("")
)
process.exit(0)
