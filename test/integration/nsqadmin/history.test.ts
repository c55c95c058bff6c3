import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster } from "./cluster.ts"
import { historyDirectory, record } from "./past.ts"

const hour = 3_600_000

/** Waits for the chart of the backlog with this description. */
const chart = (tab: Tab, description: RegExp) =>
  tab.act((page) => page.getByRole("img", { name: description }).first().waitFor())

const choose = (tab: Tab, name: string) => tab.act((page) => page.getByRole("button", { name, exact: true }).click())

const addressOf = (tab: Tab) => tab.act(async (page) => new URL(page.url()).search)

layer(Browser.layer, { excludeTestServices: true })("The history of nsqadmin's charts", (it) => {
  it.effect("charts show the time before a restart, up to a week, and the address has the range", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const historyDir = yield* historyDirectory
      yield* record(historyDir, Date.now() - hour / 2, { orders: 4321 })
      yield* record(historyDir, Date.now() - 5 * hour, { orders: 56_789 })
      yield* record(historyDir, Date.now() - 5 * 24 * hour, { orders: 987_654 })
      const { admin, create } = yield* startCluster({ historyDir })
      yield* create("orders", "archive")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* chart(view, /^backlog in the past hour: .* maximum 4,321$/)
      yield* choose(view, "6 h")
      yield* chart(view, /^backlog in the past 6 hours: current 0, maximum 56,789$/)
      assert.strictEqual(yield* addressOf(view), "?range=6h")
      yield* choose(view, "7 d")
      yield* chart(view, /^backlog in the past 7 days: .* maximum 987,654$/)
      yield* view.act((page) => page.reload())
      yield* chart(view, /^backlog in the past 7 days: .* maximum 987,654$/)
      yield* view.act((page) => page.getByRole("link", { name: "archive" }).first().click())
      yield* chart(view, /^backlog in the past 7 days/)
      yield* choose(view, "15 min")
      yield* chart(view, /^backlog in the past 15 minutes/)
    }))

  it.effect("dragging over a chart shows that time, and the day before can be compared", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const historyDir = yield* historyDirectory
      yield* record(historyDir, Date.now() - 24 * hour - hour / 4, { orders: 777 })
      const { admin, create } = yield* startCluster({ historyDir })
      yield* create("orders")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders?range=24h")
      yield* chart(view, /^backlog in the past 24 hours/)
      yield* view.act((page) => page.getByLabel("Compare with the day before").check())
      yield* view.act((page) => page.getByText("Day before").first().waitFor())
      assert.strictEqual(yield* addressOf(view), "?range=24h&compare=day")
      yield* view.act(async (page) => {
        const box = await page.locator(".chart.large .u-over").first().boundingBox()
        if (box === null) throw new Error("the chart has no size")
        const y = box.y + box.height / 2
        await page.mouse.move(box.x + box.width * 0.25, y)
        await page.mouse.down()
        await page.mouse.move(box.x + box.width * 0.5, y, { steps: 4 })
        await page.mouse.up()
      })
      yield* chart(view, /^backlog in the \d+ \w+, \d\d:\d\d to \d+ \w+, \d\d:\d\d|^backlog: no data yet/)
      const [, from = "", to = ""] = /range=(\d+)-(\d+)/.exec(yield* addressOf(view)) ?? []
      const span = Number(to) - Number(from)
      assert.isTrue(span > 5 * hour && span < 7 * hour, `a quarter of a day: ${span / hour} h`)
      yield* choose(view, "1 h")
      yield* chart(view, /^backlog in the past hour/)
    }))

  it.effect("a custom range shows one day last week", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const historyDir = yield* historyDirectory
      const then = Date.now() - 4 * 24 * hour
      yield* record(historyDir, then, { orders: 31_337 })
      const { admin, create } = yield* startCluster({ historyDir })
      yield* create("orders")
      const view = yield* tab(admin.url, { timezoneId: "UTC" })
      yield* view.open("/topics/orders")
      yield* choose(view, "Custom")
      const text = (at: number) => new Date(at).toISOString().slice(0, 16)
      yield* view.act((page) => page.getByLabel("From").fill(text(then - hour)))
      yield* view.act((page) => page.getByLabel("to", { exact: true }).fill(text(then + hour)))
      yield* choose(view, "Show range")
      yield* chart(view, /^backlog in the .* to .*: .* maximum 31,337$/)
    }))

  it.effect("without a directory only the past hour can be chosen", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin: { url }, create, lookupds } = yield* startCluster()
      yield* create("orders")
      yield* startAdmin({ lookupdHttpAddresses: lookupds.map(({ http }) => http) })
      const view = yield* tab(url)
      yield* view.open("/topics/orders")
      yield* chart(view, /^backlog in the past hour/)
      assert.strictEqual(yield* view.act((page) => page.getByRole("button", { name: "7 d" }).count()), 0)
    }))
})
