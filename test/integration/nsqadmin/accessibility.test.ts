import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { violations } from "./axe.ts"
import { Browser, type Tab } from "./browser.ts"
import { request, startCluster } from "./cluster.ts"
import { consume } from "./consumer.ts"

/** For tests that open every page several times, in milliseconds. */
const pageLoadsTimeout = 240_000

/** A name of the greatest length. */
const longest = "a-topic.with_the.longest-name.that.is_possible".padEnd(64, "-x")

/** A cluster with everything that pages show: consumers, warnings, stale figures. Returns the paths of its pages. */
const loaded = Effect.gen(function*() {
  const { admin, create, nsqds: [first, second] } = yield* startCluster({}, {
    e2eProcessingLatencyPercentiles: [0.5, 0.99, 1],
    topicDurability: ["durable=written"]
  })
  yield* create("orders", "archive", "billing")
  yield* create("lonely")
  yield* create("durable", "archive")
  yield* first.post("/mpub?topic=durable", Array(3).fill(`{"text":"${"x".repeat(300)}"}`).join("\n"))
  yield* request(`http://${first.http}/policies`, {
    method: "PUT",
    body: `{"match":"*.with_the.longest-name*","max_depth":100000,"on_full":"reject","dead_letter":"{topic}.dlq"}`
  })
  yield* create(longest, "archive")
  yield* first.post("/topic/pause?topic=lonely")
  const socket = yield* consume(first.tcp, { topic: "orders", channel: "archive", ready: 1, does: "finish" })
  yield* first.post("/mpub?topic=orders", Array(50).fill("x").join("\n"))
  yield* second.post("/mpub?topic=orders", Array(1500).fill("x").join("\n"))
  const pages = [
    "/",
    "/topics/orders",
    "/topics/orders/archive",
    "/topics/nope",
    "/topics/lonely",
    `/topics/${longest}`,
    "/messages/orders",
    "/messages/durable/archive",
    "/policies",
    "/nodes",
    `/nodes/${first.http}`,
    `/nodes/${first.http}/clients/127.0.0.1:${socket.localPort}`,
    "/counter",
    "/lookup",
    "/warnings",
    "/daemons",
    "/nothing"
  ]
  return { admin, first, second, pages }
})

const isLive = (tab: Tab) => tab.act((page) => page.getByText("Live", { exact: true }).waitFor())

layer(Browser.layer, { excludeTestServices: true })("the accessibility and the fit of nsqadmin's pages", (it) => {
  it.effect(
    "axe finds no violation on any page, in both themes and on a phone, also while an nsqd is away",
    () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const { admin, pages, second } = yield* loaded
        const views: ReadonlyArray<readonly ["light" | "dark", number]> = [["light", 1280], ["dark", 1280], [
          "light",
          390
        ]]
        for (const state of ["healthy", "failing"]) {
          for (const [colorScheme, width] of views) {
            const view = yield* tab(admin.url, { colorScheme, viewport: { width, height: 900 } })
            for (const place of pages) {
              yield* view.open(place)
              yield* isLive(view)
              yield* view.act((page) => page.locator("main h1").waitFor())
              assert.deepStrictEqual(yield* violations(view), [], `${state} ${place} ${colorScheme} ${width}`)
            }
          }
          if (state === "healthy") yield* second.stop
        }
      }),
    pageLoadsTimeout
  )

  it.effect("axe finds no violation in dialogs, menus and opened sections", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, first } = yield* loaded
      for (const colorScheme of ["light", "dark"] as const) {
        const view = yield* tab(admin.url, { colorScheme })
        yield* view.open("/topics/orders")
        for (const summary of ["Create a channel", "Publish a test message", "Tail messages"]) {
          yield* view.act((page) => page.locator("summary", { hasText: summary }).click())
        }
        yield* view.act((page) => page.getByLabel("Columns of Channels").click())
        yield* view.act((page) => page.getByRole("button", { name: "Custom" }).click())
        assert.deepStrictEqual(yield* violations(view), [])
        yield* view.act((page) => page.getByRole("button", { name: "Delete topic" }).click())
        yield* view.act((page) => page.getByLabel(/to confirm/).waitFor())
        assert.deepStrictEqual(yield* violations(view), [])
        yield* view.open(`/nodes/${first.http}`)
        yield* view.act((page) => page.locator("summary", { hasText: "Connections" }).click())
        yield* view.act((page) => page.getByRole("table", { name: "Connections" }).waitFor())
        yield* view.act((page) => page.locator("summary", { hasText: "orders" }).click())
        yield* view.act((page) => page.getByRole("heading", { name: "Clients of orders / archive" }).waitFor())
        assert.deepStrictEqual(yield* violations(view), [])
      }
    }), pageLoadsTimeout)

  it.effect(
    "nothing is cut off at 1280 pixels and above, and nothing is wider than a phone",
    () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const { admin, pages, second } = yield* loaded
        /** Elements whose content is wider or, if they hide it, higher than they are. */
        const cut = `[...document.querySelectorAll("main, .table, table, th, td, .warnings li")]
        .filter((element) => element.clientWidth > 0 && (element.scrollWidth > element.clientWidth + 1 ||
          (getComputedStyle(element).overflowY === "hidden" && element.scrollHeight > element.clientHeight + 1)))
        .map((element) => element.tagName + "." + element.className + ": " + element.textContent.slice(0, 80))`
        for (
          const [state, width] of [["", 1440], ["", 1280], ["", 390], ["failing", 1280], ["failing", 390]] as const
        ) {
          if (state === "failing") yield* second.stop
          const view = yield* tab(admin.url, { viewport: { width, height: 900 } })
          for (const place of pages) {
            yield* view.open(place)
            yield* isLive(view)
            yield* view.act((page) => page.locator("main h1").waitFor())
            const found = yield* view.act((page) => page.evaluate<Array<string>>(cut))
            assert.deepStrictEqual(found, [], `${state} ${place} ${width}`)
            const all = yield* view.act((page) => page.evaluate<number>("document.documentElement.scrollWidth"))
            assert.isAtMost(all, width, `${place} ${width}`)
          }
        }
      }),
    pageLoadsTimeout
  )

  it.effect("columns are grouped, the user chooses them, and the totals stand below their figures", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin } = yield* loaded
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      const table = view.page.getByRole("table", { name: "Topic on its nsqds" })
      yield* view.act(() => table.getByRole("rowheader", { name: "Total" }).waitFor())
      const headings = yield* view.act(() => table.getByRole("columnheader").allInnerTexts())
      assert.include(headings.join(" "), "max")
      assert.notInclude(headings.join(" "), "100th")
      assert.notInclude(headings.join(" "), "Memory + disk")
      const groups = yield* view.act(() => table.locator("tr.groups td").allInnerTexts())
      assert.includeMembers(groups, ["Messages", "Per second", "Consumers", "Latency"])
      // The cells of the last row have the places of their headings.
      const placesOf = (row: string) =>
        view.act(() =>
          table.locator(row).evaluateAll((cells) => cells.map((cell) => Math.round(cell.getBoundingClientRect().x)))
        )
      assert.deepStrictEqual(yield* placesOf("tfoot tr > *"), yield* placesOf("thead tr:last-child > *"))
      yield* view.act((page) => page.getByLabel("Columns of Topic on its nsqds").click())
      yield* view.act((page) => page.getByRole("checkbox", { name: "Messages: Memory + disk" }).first().check())
      yield* view.act(() => table.getByRole("columnheader", { name: "Memory + disk" }).waitFor())
      yield* view.act((page) => page.getByRole("checkbox", { name: "Per second: Requeued" }).first().uncheck())
      yield* view.act((page) => page.reload())
      yield* view.act(() => table.getByRole("columnheader", { name: "Memory + disk" }).waitFor())
      assert.strictEqual(yield* view.act(() => table.getByRole("columnheader", { name: "Requeued" }).count()), 0)
    }))
})
