import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Browser, type Tab } from "./browser.ts"
import { startCluster, until } from "./cluster.ts"
import { consume } from "./consumer.ts"

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
