/**
 * nsqadmin with a large cluster in Chromium: the time until the list of topics is usable, and the responsiveness of the page
 * while all topics change.
 */
import { existsSync } from "node:fs"
import { type Browser, chromium, type Page } from "playwright-core"
import { type Daemon, withAdmin, withDaemon } from "./daemon.ts"
import { sleep } from "./load/worker.ts"
import type { Row } from "./row.ts"

const nodes = 4
const topics = 1000
const channels = 3
/** Concurrent creations of topics. */
const makers = 16
const sampleSeconds = 1

const make = async (daemon: Daemon): Promise<void> => {
  let next = 0
  const maker = async (): Promise<void> => {
    while (next < topics) await daemon.createChannels(`topic_${next++}`, channels)
  }
  await Promise.all(Array.from({ length: makers }, maker))
}

/** Runs `count` daemons at once. */
export const withDaemons = <A>(
  count: number,
  command: ReadonlyArray<string>,
  use: (daemons: ReadonlyArray<Daemon>) => Promise<A>,
  flags: ReadonlyArray<string> = [],
  prepare?: (directory: string) => void
): Promise<A> =>
  count === 0
    ? use([])
    : withDaemon(
      command,
      flags,
      (daemon) => withDaemons(count - 1, command, (others) => use([daemon, ...others]), flags, prepare),
      prepare
    )

/** Runs Chromium for the time of `use`. */
export const withBrowser = async <A>(use: (browser: Browser) => Promise<A>): Promise<A> => {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium"
  if (!existsSync(executablePath)) throw new Error("Chromium not found: set CHROMIUM to its path")
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })
  try {
    return await use(browser)
  } finally {
    await browser.close()
  }
}

/** Returns the time in ms from the request of the page until its list is shown and filtered. */
const untilUsable = async (page: Page, url: string): Promise<number> => {
  const started = performance.now()
  await page.goto(url)
  await page.getByRole("link", { name: "topic_0", exact: true }).waitFor()
  await page.getByLabel("Filter").fill("topic_999")
  await page.getByText(`1 of ${topics.toLocaleString("en-US")} topics`).waitFor()
  const took = performance.now() - started
  await page.getByLabel("Filter").fill("")
  return took
}

/** Publishes a message to every topic of the daemon. */
const publishEverywhere = async ({ httpPort }: Daemon): Promise<void> => {
  for (let i = 0; i < topics; i++) {
    await fetch(`http://127.0.0.1:${httpPort}/pub?topic=topic_${i}`, { method: "POST", body: "x" })
  }
}

const watchLongTasks = `
  window.longest = 0
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration)
  }).observe({ type: "longtask" })
`

const scrollThrough = async (page: Page, seconds: number): Promise<void> => {
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    await page.mouse.wheel(0, 900)
    await sleep(100)
  }
}

export const adminRow: Row = {
  name: "admin",
  measures: [
    { name: `list of ${topics} topics x ${channels} channels on ${nodes} nodes usable`, unit: "ms", better: "lower" },
    { name: "longest task of the page while all topics change", unit: "ms", better: "lower" },
    { name: "memory of nsqadmin", unit: "bytes", better: "lower" }
  ],
  run: (command, seconds) =>
    withDaemons(nodes, command, async (daemons) => {
      await Promise.all(daemons.map(make))
      const flags = [
        ...daemons.map(({ httpPort }) => `--nsqd-http-address=127.0.0.1:${httpPort}`),
        `--sample-interval=${sampleSeconds}s`
      ]
      return withAdmin(command, flags, (admin) =>
        withBrowser(async (browser) => {
          const page = await browser.newPage()
          await sleep(2 * sampleSeconds * 1000)
          const usable = await untilUsable(page, `http://127.0.0.1:${admin.httpPort}/`)
          await page.evaluate(watchLongTasks)
          await page.mouse.move(400, 400)
          const [publisher] = daemons
          if (publisher === undefined) throw new Error("no daemon to publish to")
          await Promise.all([publishEverywhere(publisher), scrollThrough(page, 2 + seconds)])
          return [usable, await page.evaluate<number>("window.longest"), admin.residentBytes()]
        }))
    })
}
