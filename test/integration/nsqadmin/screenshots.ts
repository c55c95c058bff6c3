/**
 * Takes pictures of all pages of nsqadmin in all visual states, for review: empty, loaded and failing clusters, four widths, light and
 * dark.
 *
 * usage: npm run build && npm run screenshots -- [--to DIRECTORY] [--only TEXT] [--docs]
 *
 * The pictures lie in `screenshots/` by default, which git ignores: `STATE-PAGE-WIDTH-SCHEME.png`. `--only` takes those whose name
 * contains the text, or one of several separated by commas. `--docs` takes those of `docs/images` instead, with `--only` some of them.
 */
import { Duration, Effect } from "effect"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import type * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Browser, type Tab } from "./browser.ts"
import { request, startCluster, startNsqd } from "./cluster.ts"
import { consume } from "./consumer.ts"

const { values } = parseArgs({
  options: {
    to: { type: "string", default: "screenshots" },
    only: { type: "string", default: "" },
    docs: { type: "boolean", default: false }
  }
})

const widths = [1440, 1280, 768, 390]
const schemes = ["light", "dark"] as const

/** The pictures of the documentation, by the names of theirs here, with their heights in pixels. */
const documented = new Map<string, readonly [name: string, height: number]>([
  ["loaded-topics-1280-light", ["topics", 640]],
  ["loaded-topic-1280-light", ["topic", 1060]],
  ["loaded-channel-1280-dark", ["channel", 1060]],
  ["loaded-topic-390-light", ["phone", 844]],
  ["loaded-warnings-1280-light", ["warnings", 640]],
  ["loaded-tail-1280-light", ["tail", 900]],
  ["loaded-palette-1280-light", ["palette", 640]],
  ["loaded-nodes-1280-light", ["nodes", 500]],
  ["loaded-opened-1280-light", ["messages", 900]],
  ["loaded-rewind-1280-light", ["rewind", 640]],
  ["loaded-policies-1280-light", ["policies", 900]],
  ["loaded-client-1280-light", ["client", 700]]
])

const isWanted = (name: string): boolean =>
  (!values.docs || documented.has(name)) && values.only.split(",").some((text) => name.includes(text))

const startTail = ({ act, page }: Tab) =>
  act(async () => {
    const summary = page.locator("summary", { hasText: "Tail messages" })
    await summary.click()
    await page.getByLabel("Sample rate").selectOption("10")
    await page.getByRole("button", { name: "Start tail" }).click()
    // The list is as high as it gets, so that the page can be scrolled to it.
    await page.locator(".messages li").nth(7).waitFor()
    // A scroll by the mouse wheel is not complete in the picture.
    await summary.evaluate((element) => element.scrollIntoView())
    await page.evaluate("scrollBy({ top: -160, behavior: 'instant' })")
  })

const openPalette = ({ act, page }: Tab) =>
  act(async () => {
    await page.keyboard.press("Control+k")
    await page.keyboard.type("ord")
    await page.getByRole("option").nth(2).waitFor()
  })

const openMessage = ({ act, page }: Tab) =>
  act(() => page.getByRole("list", { name: "Messages" }).locator("summary").nth(1).click())

const openRewind = ({ act, page }: Tab) =>
  act(async () => {
    await page.getByRole("button", { name: "Rewind channel" }).click()
    await page.getByText("will be delivered from there on").waitFor()
  })

const openConnections = ({ act, page }: Tab) =>
  act(async () => {
    await page.locator("summary", { hasText: "Connections" }).click()
    await page.getByRole("table", { name: "Connections" }).waitFor()
  })

type Picture = readonly [name: string, path: string, prepare?: (view: Tab) => Effect.Effect<void>]

const pages = (node: string, client: string): ReadonlyArray<Picture> => [
  ["topics", "/"],
  ["topic", "/topics/images"],
  ["channel", "/topics/images/resize"],
  ["durable", "/topics/invoices/print"],
  ["messages", `/messages/invoices/print?node=${node}`],
  ["opened", `/messages/invoices/print?node=${node}`, openMessage],
  ["volatile", "/messages/images/resize"],
  ["rewind", "/topics/invoices/print", openRewind],
  ["policies", "/policies"],
  ["nodes", "/nodes"],
  ["node", `/nodes/${node}`],
  ["connections", `/nodes/${node}`, openConnections],
  ["client", `/nodes/${node}/clients/${client}`],
  ["warnings", "/warnings"],
  ["daemons", "/daemons"],
  ["lookup", "/lookup"],
  ["counter", "/counter"],
  ["missing", "/topics/nope"],
  ["day", "/topics/images?range=24h&compare=day"],
  ["tail", "/topics/orders", startTail],
  ["palette", "/", openPalette]
]

const bodies = (count: number): string => Array(count).fill("x".repeat(100)).join("\n")

const customers = ["Grace Hopper", "Alan Turing", "Barbara Liskov"]
let order = 170_000

const orders = (count: number): string =>
  Array.from({ length: count }, () => {
    order++
    const customer = customers[order % customers.length]
    return JSON.stringify({ order, customer, amount: (order % 80) / 2, currency: "EUR" })
  }).join("\n")

/** The nsqds measure latencies, and keep a topic in their log. */
const nsqdOptions = { e2eProcessingLatencyPercentiles: [0.5, 0.95, 0.99], topicDurability: ["invoices=written"] }

const policies = [
  { match: "*", max_depth: 1_000_000, on_full: "reject" },
  { match: "invoices", retention_age: "168h", dedup_window: "10m" },
  { match: "invoices/print", max_attempts: 5, dead_letter: "{topic}.dlq", count_disconnects: true }
]

/** Takes the pictures of a state whose names are wanted. */
const take = Effect.fnUntraced(function*(state: string, url: string, node: string, client: string) {
  const { tab } = yield* Browser
  for (const colorScheme of schemes) {
    for (const width of widths) {
      const wanted = pages(node, client)
        .map(([page, path, prepare]) => [`${state}-${page}-${width}-${colorScheme}`, path, prepare] as const)
        .filter(([name, , prepare]) => isWanted(name) && (prepare === undefined || state === "loaded"))
      if (wanted.length === 0) continue
      yield* Effect.scoped(Effect.gen(function*() {
        const view = yield* tab(url, { colorScheme, viewport: { width, height: 900 } })
        for (const [name, path, prepare] of wanted) {
          yield* view.open(path)
          yield* view.act((page) => page.getByText("Live", { exact: true }).waitFor())
          // The charts are drawn with the response of the history.
          yield* view.act((page) => page.waitForLoadState("domcontentloaded"))
          yield* Effect.sleep("700 millis")
          // Rates of clients need a second response.
          if (state === "loaded" && /-(client|channel|durable|connections)-/.test(name)) {
            yield* Effect.sleep("2 seconds")
          }
          if (prepare !== undefined) yield* prepare(view)
          const [image, height] = documented.get(name) ?? ["", 900]
          if (values.docs) {
            yield* view.act((page) => page.setViewportSize({ width, height }))
            yield* view.act((page) => page.screenshot({ path: `docs/images/nsqadmin-${image}.png` }))
            yield* view.act((page) => page.setViewportSize({ width, height: 900 }))
          } else yield* view.act((page) => page.screenshot({ path: join(values.to, `${name}.png`), fullPage: true }))
        }
      }))
    }
  }
})

const program = Effect.gen(function*() {
  if (!values.docs) mkdirSync(values.to, { recursive: true })
  const historyDir = mkdtempSync(join(tmpdir(), "nsqadmin-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(historyDir, { recursive: true })))
  const staging = yield* startNsqd([])
  const { admin, lookupds, nsqds: [first, second] } = yield* startCluster(
    {
      sampleInterval: Duration.seconds(1),
      historyDir,
      clusterNsqds: [`staging=${staging.http}`],
      alertWebhooks: [`http://${staging.http}/ping`]
    },
    nsqdOptions
  )
  yield* take("empty", admin.url, first.http, "127.0.0.1:1")

  const third = yield* startNsqd(lookupds, nsqdOptions)
  const workers: Array<Net.Socket> = []
  const names = Array.from({ length: 24 }, (_, i) => `service.${["events", "metrics", "jobs"][i % 3]}.${i}`)
  for (const nsqd of [first, second, third]) {
    for (const topic of ["images", "orders", "email", ...names]) yield* nsqd.post(`/topic/create?topic=${topic}`)
    yield* nsqd.post("/topic/create?topic=audit")
    const channels = ["images/resize", "images/archive", "orders/billing", "orders/shipping", "email/send"]
    for (const name of [...channels, ...names.map((topic) => `${topic}/worker`)]) {
      const [topic = "", channel = ""] = name.split("/")
      yield* nsqd.post(`/channel/create?topic=${topic}&channel=${channel}`)
    }
    yield* consume(nsqd.tcp, {
      topic: "images",
      channel: "resize",
      ready: 5,
      does: "hold",
      identity: {
        client_id: "resizer-7",
        hostname: "resizer-7.example.com",
        user_agent: "resizer/2.1",
        msg_timeout: 1000
      }
    })
    for (const [topic, channel] of [["images", "archive"], ["orders", "billing"], ["orders", "shipping"]] as const) {
      const identity = { client_id: `${channel}-1`, hostname: `${channel}-1.example.com`, user_agent: "worker/1.0" }
      workers.push(yield* consume(nsqd.tcp, { topic, channel, ready: 50, does: "finish", identity }))
    }
  }
  yield* second.post("/channel/pause?topic=email&channel=send")
  yield* third.post("/mpub?topic=email", bodies(35_000))
  for (const nsqd of [first, second, third]) {
    yield* nsqd.post("/topic/create?topic=invoices")
    yield* nsqd.post("/channel/create?topic=invoices&channel=print")
    yield* nsqd.post("/mpub?topic=invoices", orders(12))
    yield* nsqd.post("/pub?topic=invoices&defer=3600000", orders(1))
    for (const policy of policies) {
      yield* request(`http://${nsqd.http}/policies`, { method: "PUT", body: JSON.stringify(policy) })
    }
  }
  // One nsqd is an exception, as after a change while it was away.
  yield* request(`http://${third.http}/policies`, { method: "PUT", body: `{"match":"email*","ttl":"1h"}` })
  const identity = { client_id: "printer-1", hostname: "printer-1.example.com", user_agent: "printer/1.0" }
  yield* consume(first.tcp, { topic: "invoices", channel: "print", ready: 2, does: "hold", identity })
  const load = Effect.gen(function*() {
    // One of them is stopped later.
    for (const nsqd of [first, second, third]) {
      yield* Effect.ignoreCause(nsqd.post("/mpub?topic=images", bodies(12)))
      yield* Effect.ignoreCause(nsqd.post("/mpub?topic=orders", orders(30)))
    }
    yield* first.post("/mpub?topic=audit", bodies(3))
    yield* first.post("/pub?topic=images&defer=3600000", "later")
    for (const worker of workers) worker.write("PUB audit\n\0\0\0\x04donePUB email\n\0\0\0\x04done")
    for (const topic of names.slice(0, 9)) yield* second.post(`/mpub?topic=${topic}`, bodies(4))
    yield* Effect.sleep("250 millis")
  })
  yield* Effect.forkScoped(Effect.ignoreCause(Effect.forever(load)))
  yield* Effect.sleep("45 seconds")
  yield* request(`http://${second.http}/drain`, { method: "PUT" })
  yield* take("loaded", admin.url, first.http, `127.0.0.1:${workers[1]?.localPort ?? 0}`)
  yield* take("draining", admin.url, second.http, "127.0.0.1:1")

  yield* third.stop
  yield* lookupds[1].stop
  yield* Effect.sleep("5 seconds")
  yield* take("failing", admin.url, third.http, "127.0.0.1:1")
})

await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Browser.layer)))
