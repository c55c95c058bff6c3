import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster, until } from "./cluster.ts"

/** The row with a link of that name. */
const row = (tab: Tab, name: string) =>
  tab.page.getByRole("row").filter({ has: tab.page.getByRole("link", { name, exact: true }) })

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's live pages", (it) => {
  it.effect("the list of topics shows changes without a reload", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds, nsqds } = yield* startCluster()
      yield* create("orders")
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act(() => row(view, "orders").waitFor())
      yield* view.act((page) => page.evaluate("document.body.setAttribute('data-mark', 'same document')"))
      yield* nsqds[0].post("/mpub?topic=orders", Array(1234).fill("x").join("\n"))
      yield* view.act(() => row(view, "orders").getByText("1,234").first().waitFor())
      yield* create("payments")
      yield* view.act(() => row(view, "payments").waitFor())
      yield* nsqds[1].post("/topic/pause?topic=payments")
      yield* view.act(() => row(view, "payments").getByText("paused").waitFor())
      for (const nsqd of nsqds) yield* nsqd.post("/topic/delete?topic=orders")
      // A topic is listed as long as an nsqlookupd lists it.
      for (const lookupd of lookupds) yield* lookupd.post("/topic/delete?topic=orders")
      yield* view.act(() => row(view, "orders").waitFor({ state: "detached" }))
      const charts = yield* view.act(() => row(view, "payments").locator("svg.chart").count())
      assert.strictEqual(charts, 2)
      assert.strictEqual(yield* view.act((page) => page.locator("body").getAttribute("data-mark")), "same document")
    }))

  it.effect("the page of a topic shows changes of its channels", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds } = yield* startCluster()
      yield* create("orders", "archive")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* view.act(() => row(view, "archive").waitFor())
      yield* nsqds[0].post("/mpub?topic=orders", Array(4321).fill("x").join("\n"))
      yield* view.act(() => row(view, "archive").getByText("4,321").first().waitFor())
      yield* nsqds[1].post("/channel/create?topic=orders&channel=second")
      yield* view.act(() => row(view, "second").waitFor())
      yield* view.act((page) => page.getByRole("img", { name: /^backlog in the past hour/ }).first().waitFor())
    }))

  it.effect("stopped daemons are shown as unreachable while the others remain visible", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds, nsqds: [first, second] } = yield* startCluster()
      yield* create("orders")
      yield* first.post("/pub?topic=orders", "x")
      const view = yield* tab(admin.url)
      yield* view.open("/daemons")
      yield* shows(view, "All 4 daemons are reachable.")
      yield* second.stop
      yield* shows(view, /1 of \d daemons unreachable\./)
      yield* view.act((page) => page.getByRole("link", { name: /Daemons.*1 unreachable/ }).waitFor())
      yield* view.act((page) =>
        page.getByRole("row").filter({ hasText: second.http }).getByText("unreachable", { exact: true }).waitFor()
      )
      yield* lookupds[1].stop
      yield* shows(view, /2 of \d daemons unreachable\./)
      yield* view.act((page) => page.getByRole("link", { name: /^Warnings/ }).click())
      yield* view.act((page) => page.getByRole("listitem").filter({ hasText: "Daemon unreachable" }).first().waitFor())
      // The page shows the figures of the remaining daemons, and a banner that names the failed ones.
      yield* view.open("/topics/orders")
      yield* shows(view, new RegExp(`nsqlookupd ${lookupds[1].http} is unreachable: last reply \\d\\d:\\d\\d`))
      yield* view.act((page) => page.getByRole("rowheader", { name: new RegExp(first.http) }).waitFor())
    }))

  it.effect("a page shows that nsqadmin stopped and continues when it is back", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds } = yield* startCluster()
      yield* create("orders")
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act(() => row(view, "orders").waitFor())
      yield* admin.stop
      yield* shows(view, "Connection lost")
      yield* view.act(() => row(view, "orders").waitFor())
      yield* startAdmin({
        lookupdHttpAddresses: lookupds.map(({ http }) => http),
        httpAddress: new URL(admin.url).host
      })
      yield* shows(view, /^Live$/)
      yield* create("payments")
      yield* view.act(() => row(view, "payments").waitFor())
    }))

  it.effect("the counter shows the messages that all channels have received", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first], topicOn } = yield* startCluster()
      yield* create("orders", "a", "b")
      const view = yield* tab(admin.url, { reducedMotion: "reduce" })
      yield* view.open("/counter")
      yield* first.post("/mpub?topic=orders", Array(1500).fill("x").join("\n"))
      yield* until(topicOn(first, "orders"), (topic) => topic?.channels.every(({ depth }) => depth === 1500) === true)
      yield* view.act((page) => page.getByText("3,000", { exact: true }).first().waitFor())
    }))
})
