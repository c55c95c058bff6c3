import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { violations, violationsInBothThemes } from "./axe.ts"
import { Browser, type Tab } from "./browser.ts"
import { request, startCluster } from "./cluster.ts"
import { consume } from "./consumer.ts"

/** For tests that open every page several times, in milliseconds. */
const pageLoadsTimeout = 480_000

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

/** Elements whose content is wider or, if they hide it, higher than they are. */
const cut = `[...document.querySelectorAll("main, .table, table, th, td, .warnings li")]
  .filter((element) => element.clientWidth > 0 && (element.scrollWidth > element.clientWidth + 1 ||
    (getComputedStyle(element).overflowY === "hidden" && element.scrollHeight > element.clientHeight + 1)))
  .map((element) => element.tagName + "." + element.className + ": " + element.textContent.slice(0, 80))`

/** Checks that nothing is cut off at a width, and that nothing is wider. */
const fits = Effect.fnUntraced(function*({ act }: Tab, width: number, where: string) {
  yield* act((page) => page.setViewportSize({ width, height: 900 }))
  // The layout of two frames, because the list of topics renders its visible rows again.
  yield* act((page) => page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"))
  assert.deepStrictEqual(yield* act((page) => page.evaluate<Array<string>>(cut)), [], `${where} ${width}`)
  const all = yield* act((page) => page.evaluate<number>("document.documentElement.scrollWidth"))
  assert.isAtMost(all, width, `${where} ${width}`)
})

const isComplete = ({ act }: Tab) =>
  act(async (page) => {
    await page.getByText("Live", { exact: true }).waitFor()
    await page.locator("main h1").waitFor()
    await page.locator("main .skeleton").first().waitFor({ state: "detached" })
  })

/** The widths of phones, whose cards have rules of their own, and of larger screens. */
const phone = 390
const desk = 1280
const wide = 1440

/** One cluster for all tests. The last one stops an nsqd. */
class World extends Context.Service<World, Effect.Success<typeof loaded>>()("test/accessibility/World") {
  static readonly layer = Layer.effect(World, loaded)
}

layer(Layer.merge(Browser.layer, World.layer), { excludeTestServices: true })(
  "the accessibility and the fit of nsqadmin's pages",
  (it) => {
    it.effect(
      "axe finds no violation in dialogs, menus and opened sections, and the user chooses columns",
      () =>
        Effect.gen(function*() {
          const { tab } = yield* Browser
          const { admin, first } = yield* World
          yield* opened(yield* tab(admin.url), first.http)
          yield* choosesColumns(yield* tab(admin.url))
        }),
      pageLoadsTimeout
    )

    // One document for each page and state: loading it again for each theme and width took most of the time.
    it.effect(
      "no page violates a rule of axe in both themes and on a phone, and nothing is cut off, also while an nsqd is away",
      () =>
        Effect.gen(function*() {
          const { tab } = yield* Browser
          const { admin, pages, second } = yield* World
          const check = Effect.fnUntraced(function*(view: Tab, place: string, state: string) {
            const where = `${state} ${place}`
            yield* view.act((page) => page.setViewportSize({ width: desk, height: 900 }))
            yield* view.open(place)
            yield* isComplete(view)
            assert.deepStrictEqual(yield* violationsInBothThemes(view), [], where)
            yield* fits(view, desk, where)
            yield* fits(view, wide, where)
            yield* fits(view, phone, where)
            assert.deepStrictEqual(yield* violations(view), [], `${where} on a phone`)
          })
          const views = yield* Effect.all([tab(admin.url), tab(admin.url)])
          for (const state of ["healthy", "failing"]) {
            if (state === "failing") {
              yield* second.stop
              yield* views[0].open("/daemons")
              yield* views[0].act((page) => page.getByText("unreachable", { exact: true }).first().waitFor())
            }
            yield* Effect.forEach(
              views,
              (view, i) =>
                Effect.forEach(pages.filter((_, at) => at % views.length === i), (place) => check(view, place, state)),
              { concurrency: views.length }
            )
          }
        }),
      pageLoadsTimeout
    )
  }
)

/** Opens what is closed at first. */
const opened = Effect.fnUntraced(function*(view: Tab, node: string) {
  yield* view.open("/topics/orders")
  for (const summary of ["Create a channel", "Publish a test message", "Tail messages"]) {
    yield* view.act((page) => page.locator("summary", { hasText: summary }).click())
  }
  yield* view.act((page) => page.getByLabel("Columns of Channels").click())
  yield* view.act((page) => page.getByRole("button", { name: "Custom" }).click())
  assert.deepStrictEqual(yield* violationsInBothThemes(view), [])
  yield* view.act((page) => page.getByRole("button", { name: "Delete topic" }).click())
  yield* view.act((page) => page.getByLabel(/to confirm/).waitFor())
  assert.deepStrictEqual(yield* violationsInBothThemes(view), [])
  yield* view.open(`/nodes/${node}`)
  yield* view.act((page) => page.locator("summary", { hasText: "Connections" }).click())
  yield* view.act((page) => page.getByRole("table", { name: "Connections" }).waitFor())
  yield* view.act((page) => page.locator("summary", { hasText: "orders" }).click())
  yield* view.act((page) => page.getByRole("heading", { name: "Clients of orders / archive" }).waitFor())
  assert.deepStrictEqual(yield* violationsInBothThemes(view), [])
})

/** Columns are grouped and chosen, and the totals stand below their figures. */
const choosesColumns = Effect.fnUntraced(function*(view: Tab) {
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
})
