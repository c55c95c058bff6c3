import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster, startNsqd, until } from "./cluster.ts"
import { consume } from "./consumer.ts"
import { historyDirectory, record } from "./past.ts"

const bodies = (count: number) => Array(count).fill("x").join("\n")

const cell = (tab: Tab, topic: string, key: string) =>
  tab.act((page) =>
    page.getByRole("row").filter({ has: page.getByRole("link", { name: topic, exact: true }) })
      .locator(`td.${key} span`).first().innerText()
  )

const waits = (tab: Tab, topic: string, text: string) =>
  tab.act((page) =>
    page.getByRole("row").filter({ has: page.getByRole("link", { name: topic, exact: true }) })
      .getByText(text, { exact: true }).first().waitFor()
  )

/** The heights of a sparkline's points, the oldest first, as parts of the chart's height. */
const heightsOf = (tab: Tab, topic: string) =>
  tab.act(async (page) => {
    const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: topic, exact: true }) })
    const chart = row.getByRole("img", { name: /^backlog/ })
    const [, height] = /^0 0 [\d.]+ ([\d.]+)$/.exec((await chart.getAttribute("viewBox")) ?? "") ?? []
    const line = (await chart.locator("path.line").getAttribute("d")) ?? ""
    return Array.from(line.matchAll(/[ML][\d.]+ ([\d.]+)/g), ([, y]) => 1 - Number(y) / Number(height))
  })

layer(Browser.layer, { excludeTestServices: true })("the list of topics", (it) => {
  it.effect("the list shows the backlog of channels, with the largest first, and their rates", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster()
      yield* create("a-small", "one")
      yield* create("orders", "archive", "billing")
      yield* consume(first.tcp, { topic: "orders", channel: "billing", ready: 10, does: "finish" })
      yield* first.post("/mpub?topic=orders", bodies(350))
      yield* first.post("/mpub?topic=a-small", bodies(2))
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* waits(view, "orders", "350")
      yield* waits(view, "a-small", "2")
      // The other channel's consumer finishes all of them.
      yield* until(cell(view, "orders", "total"), (total) => total === "350")
      assert.match(yield* cell(view, "orders", "oldest"), /^\d+ s$/)
      assert.match(yield* cell(view, "orders", "finish_rate"), /^[\d,.]+$/)
      const order = yield* view.act((page) => page.locator("tbody th a").allInnerTexts())
      assert.deepStrictEqual(order, ["orders", "a-small"])
      const sorted = yield* view.act((page) =>
        page.getByRole("columnheader", { name: "Backlog" }).getAttribute("aria-sort")
      )
      assert.strictEqual(sorted, "descending")
      // The sum counts the messages of both channels after the consumer has gone.
      yield* first.post("/channel/pause?topic=orders&channel=billing")
      yield* first.post("/mpub?topic=orders", bodies(10))
      yield* waits(view, "orders", "360")
      yield* waits(view, "orders", "370")
    }))

  it.effect("a phone shows the backlog, the age, the rates and the consumers of each topic", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster()
      yield* create("orders", "archive")
      yield* first.post("/mpub?topic=orders", bodies(1234))
      const view = yield* tab(admin.url, { viewport: { width: 390, height: 844 } })
      yield* view.open("/")
      yield* waits(view, "orders", "1,234")
      for (const key of ["backlog", "oldest", "rate", "finish_rate", "client_count"]) {
        const isVisible = yield* view.act((page) => page.locator(`td.${key}`).first().isVisible())
        assert.isTrue(isVisible, key)
      }
    }))

  it.effect("sparklines begin at zero, follow the backlog of channels, and a few messages do not look like very many", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const backlogs = { none: 0, few: 3, many: 35_000, sinking: 500 }
      const nsqd = yield* startNsqd([])
      for (const [topic, count] of Object.entries(backlogs)) {
        yield* nsqd.post(`/topic/create?topic=${topic}`)
        yield* nsqd.post(`/channel/create?topic=${topic}&channel=archive`)
        if (count > 0) yield* nsqd.post(`/mpub?topic=${topic}`, bodies(count))
        // The topic's own queue is empty, so that its depth is not what the line shows.
        yield* until(
          nsqd.get(`/stats?format=json&topic=${topic}`),
          ({ text }) => text.includes(`"topic_name":"${topic}"`) && text.includes(`"depth":${count},"backend_depth"`)
        )
      }
      const historyDir = yield* historyDirectory
      const past = [40, 30, 20, 10]
      for (const minutes of past) {
        yield* record(historyDir, Date.now() - minutes * 60_000, { ...backlogs, sinking: 2000 })
      }
      const admin = yield* startAdmin({ nsqdHttpAddresses: [nsqd.http], historyDir })
      const view = yield* tab(admin.url)
      yield* view.open("/")
      /** The points of the history, and at least one of a sample. */
      const line = (topic: string) => until(heightsOf(view, topic), ({ length }) => length > past.length)
      const flat = Effect.fnUntraced(function*(topic: string) {
        const heights = yield* line(topic)
        assert.lengthOf(new Set(heights), 1, topic)
        return heights[0] ?? NaN
      })
      const zero = yield* flat("none")
      const top = yield* flat("many")
      assert.isTrue(zero > 0 && zero < 0.15, `the line of zero is visible: ${zero}`)
      assert.isTrue(top > 0.8 && top < 0.95, `the highest line is visible: ${top}`)
      assert.approximately((yield* flat("few")) - zero, 0.3 * (1 - 2 * zero), 0.01)
      const sinking = yield* line("sinking")
      assert.approximately(sinking[0] ?? NaN, top, 0.01)
      assert.approximately((sinking.at(-1) ?? NaN) - zero, (top - zero) / 4, 0.01)
    }))

  for (const width of [1280, 390]) {
    it.effect(`the longest names, and the channels that match a filter, fit into the rows at ${width} pixels`, () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const { admin, create } = yield* startCluster()
        const long = (name: string) => `${name}.`.padEnd(64, "long-name.")
        yield* create(long("orders"), ...["a", "b", "c", "d"].map((name) => long(`billing-${name}`)))
        yield* create("payments", long("billing"))
        yield* create("billing")
        const view = yield* tab(admin.url, { viewport: { width, height: 844 } })
        const rows = view.act((page) =>
          page.locator("table.topics tbody tr").evaluateAll((all) =>
            all.map((one) => {
              const name = one.querySelector("th")
              return [one.getBoundingClientRect().height, (name?.scrollHeight ?? 0) - (name?.clientHeight ?? 0)]
            })
          )
        )
        yield* view.open("/")
        yield* view.act((page) => page.getByText("3 of 3 topics").waitFor())
        const [line, card] = [48, 132]
        assert.deepStrictEqual(yield* rows, Array.from({ length: 3 }, () => [width === 390 ? card : line, 0]))
        yield* view.open("/?filter=billing")
        yield* view.act((page) => page.getByText("and 2 more").waitFor())
        assert.deepStrictEqual(yield* rows, Array.from({ length: 3 }, () => [(width === 390 ? card : line) + 48, 0]))
      }))
  }
})
