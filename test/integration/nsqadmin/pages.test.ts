import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser, type Tab } from "./browser.ts"
import { request, startCluster, until } from "./cluster.ts"
import { contrastOf } from "./contrast.ts"

const heading = (tab: Tab, name: string | RegExp) =>
  tab.act((page) => page.getByRole("heading", { level: 1, name }).waitFor())

const follow = (tab: Tab, name: string | RegExp) => tab.act((page) => page.getByRole("link", { name }).first().click())

const path = ({ page }: Tab): string => new URL(page.url()).pathname

/** Path below the base path, heading and a distinctive text of each page. */
const pagesOf = (node: string): ReadonlyArray<readonly [string, string | RegExp, string | RegExp]> => [
  ["/", "Topics", "orders"],
  ["/topics", "Topics", "orders"],
  ["/topics/orders", "Topic orders", "Channels"],
  ["/topics/orders/archive", "Channel archive", "No consumer is connected"],
  ["/topics/e%23ephemeral", "Topic e#ephemeral", "Topic on its nsqds"],
  ["/nodes", "Nodes (2)", "nsqd nodes"],
  [`/nodes/${node}`, `Node ${node}`, "orders"],
  ["/counter", "Counter", "messages received by all channels"],
  ["/lookup", "Lookup", "nsqlookupd hosts"],
  ["/warnings", "Warnings", "Topic e#ephemeral has no channels"],
  ["/daemons", "Daemons", "All 4 daemons are reachable."]
]

/** Returns the width of the document's content, and its colors. */
const look = `(() => {
  const { backgroundColor, color } = getComputedStyle(document.body)
  return [document.documentElement.scrollWidth, backgroundColor, color]
})()`

/** For tests that open every page several times, in milliseconds. */
const pageLoadsTimeout = 480_000

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's pages", (it) => {
  it.effect("each page opens at its address, with and without a base path", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      for (const basePath of ["", "/queue/admin"]) {
        const { admin, create, nsqds } = yield* startCluster({ basePath })
        yield* create("orders", "archive")
        yield* create("e#ephemeral")
        const view = yield* tab(`${admin.url}${basePath}`)
        for (const [place, title, text] of pagesOf(nsqds[0].http)) {
          yield* view.open(place)
          yield* heading(view, title)
          yield* view.act((page) => page.getByText(text).first().waitFor())
          const below = yield* view.act((page) =>
            page.locator("a[href^='/']").evaluateAll((links) => links.map((link) => link.getAttribute("href") ?? ""))
          )
          assert.isTrue(below.every((href) => href.startsWith(basePath === "" ? "/" : basePath)), below.join(" "))
        }
        yield* view.open("/nothing")
        yield* heading(view, "Not found")
        // Programs receive NSQ's response.
        const reply = yield* request(`${admin.url}${basePath}/nothing`)
        assert.deepStrictEqual(reply, { status: 404, text: "{\"message\":\"NOT_FOUND\"}" })
      }
    }), pageLoadsTimeout)

  it.effect("pages open by their links and by the browser's history", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds } = yield* startCluster()
      yield* create("orders", "archive")
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* follow(view, "orders")
      yield* heading(view, "Topic orders")
      assert.strictEqual(path(view), "/topics/orders")
      yield* follow(view, "archive")
      yield* heading(view, "Channel archive")
      yield* follow(view, new RegExp(nsqds[0].http))
      yield* heading(view, `Node ${nsqds[0].http}`)
      for (const [name, title] of [["Counter", "Counter"], ["Lookup", "Lookup"], ["Daemons", "Daemons"]] as const) {
        yield* follow(view, name)
        yield* heading(view, title)
      }
      yield* follow(view, "Warnings")
      yield* heading(view, "Warnings")
      yield* view.act((page) => page.goBack())
      yield* heading(view, "Daemons")
      // All pages were shown by the same document.
      assert.strictEqual(
        yield* view.act((page) => page.evaluate("performance.getEntriesByType('navigation').length")),
        1
      )
    }))

  it.effect("pages fit the width of a phone and follow the color scheme", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds } = yield* startCluster()
      yield* create("orders", "archive")
      yield* create("e#ephemeral")
      const colors: Array<string> = []
      for (const colorScheme of ["light", "dark"] as const) {
        const view = yield* tab(admin.url, { viewport: { width: 390, height: 844 }, colorScheme })
        for (const [place, title] of pagesOf(nsqds[0].http)) {
          yield* view.open(place)
          yield* heading(view, title)
          const [width, background, text] = yield* view.act((page) => page.evaluate<[number, string, string]>(look))
          const contrast = contrastOf(background, text)
          assert.isAtMost(width, 390, `${place} is too wide`)
          assert.isAtLeast(contrast, 4.5)
          if (place === "/") colors.push(background)
        }
      }
      assert.lengthOf(new Set(colors), 2)
    }), pageLoadsTimeout)

  it.effect("pages show Graphite's pictures for the selected timeframe", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const graphite = yield* graphiteServer
      const { admin, create, nsqds } = yield* startCluster({
        basePath: "/nsq",
        graphiteUrl: `http://${graphite.address}`,
        proxyGraphite: true
      })
      yield* create("orders", "archive")
      const view = yield* tab(`${admin.url}/nsq`)
      const isAskedFor = (...parts: ReadonlyArray<string>) =>
        until(
          Effect.sync(() => graphite.asked.map((url) => decodeURIComponent(url))),
          (asked) => asked.some((url) => parts.every((part) => url.includes(part)))
        )
      const key = nsqds[0].http.replace(/[.:]/g, "_")
      yield* view.open("/topics/orders?t=12h")
      yield* isAskedFor("topic.orders.depth", key, "from=-12h")
      yield* isAskedFor("topic.orders.channel.archive.clients", "nsq.*")
      yield* view.act((page) => page.getByLabel("Graphite").selectOption("24h"))
      yield* isAskedFor("topic.orders.depth", key, "from=-24h")
      yield* view.act((page) => page.getByLabel("Graphite").selectOption("off"))
      yield* view.act((page) =>
        page.getByRole("img", { name: "depth in Graphite" }).first().waitFor({ state: "detached" })
      )
      yield* view.open(`/nodes/${nsqds[0].http}?t=2h`)
      yield* isAskedFor("gc_pause_*", key)
    }))
})

/** A fake Graphite that responds with a minimal picture, and the requests that it received. */
const graphiteServer = Effect.gen(function*() {
  const asked: Array<string> = []
  const picture = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64")
  const address = yield* fakeServer(({ url = "" }, response) => {
    asked.push(url)
    response.setHeader("content-type", "image/gif").end(picture)
  })
  return { asked, address }
})
