import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster, until } from "./cluster.ts"

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

const heading = (tab: Tab, name: string | RegExp) =>
  tab.act((page) => page.getByRole("heading", { level: 1, name }).waitFor())

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's words for trouble", (it) => {
  it.effect("a banner on each page says which daemon is unreachable since when, with the raw error on demand", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first, second] } = yield* startCluster()
      yield* create("orders", "archive")
      const view = yield* tab(admin.url)
      yield* view.open("/daemons")
      yield* shows(view, "All 4 daemons are reachable.")
      yield* second.stop
      for (
        const place of ["/", "/topics/orders", "/topics/orders/archive", "/nodes", `/nodes/${first.http}`, "/lookup"]
      ) {
        yield* view.open(place)
        yield* shows(view, new RegExp(`nsqd .*${second.http}.* is unreachable: last reply \\d\\d:\\d\\d, \\d`))
        assert.isFalse(yield* view.act((page) => page.getByText("no longer listed").isVisible()), place)
        assert.strictEqual(yield* view.act((page) => page.getByText(/Get "http/).filter({ visible: true }).count()), 0)
      }
      yield* view.act((page) => page.locator("summary", { hasText: "Show the error" }).first().click())
      yield* view.act((page) => page.getByText("no longer listed").first().waitFor())
    }))

  it.effect("a topic, a channel or a page that does not exist says so and what to do next", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster()
      yield* create("orders")
      const view = yield* tab(admin.url)
      const pages: ReadonlyArray<readonly [string, string, string]> = [
        ["/topics/nope", "Topic nope", "The topic nope does not exist."],
        ["/topics/orders/nope", "Channel nope", "The channel nope does not exist."],
        ["/nodes/127.0.0.1:1", "Node 127.0.0.1:1", "No nsqd with the address 127.0.0.1:1 is known."],
        ["/nothing/at/all", "Not found", "does not exist"]
      ]
      for (const [place, title, text] of pages) {
        yield* view.open(place)
        yield* heading(view, title)
        yield* shows(view, text)
        const body = yield* view.act((page) => page.locator("main").innerText())
        assert.notMatch(body, /UPSTREAM_ERROR|TOPIC_NOT_FOUND|\{"message/, place)
      }
      yield* first.post("/topic/create?topic=nope")
      yield* view.open("/topics/nope")
      yield* shows(view, "No channels: messages wait in the topic for the first channel.")
    }))

  it.effect("without topics the list proposes to create one only where that is possible", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first] } = yield* startCluster()
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* shows(view, "No topics found. A topic exists with its first message; you can also create one.")
      yield* view.act((page) => page.getByRole("link", { name: "create one" }).click())
      yield* view.act((page) => page.getByRole("button", { name: "Create topic" }).waitFor())
      // Topics are created through nsqlookupds.
      const without = yield* startAdmin({ nsqdHttpAddresses: [first.http] })
      const other = yield* tab(without.url)
      yield* other.open("/")
      yield* shows(other, /No topics found\. A topic exists with its first message\.$/)
      assert.strictEqual(yield* other.act((page) => page.getByRole("link", { name: "create one" }).count()), 0)
    }))

  it.effect("an nsqlookupd that becomes unreachable is logged once, and when it is reachable again", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      let isBroken = true
      const lookupd = yield* fakeServer((_, response) => {
        if (isBroken) response.destroy()
        else response.end(JSON.stringify({ producers: [], topics: [] }))
      })
      const admin = yield* startAdmin({ lookupdHttpAddresses: [lookupd] })
      const lines = (text: string) => admin.log.filter((line) => line.includes(text))
      yield* until(Effect.sync(() => lines(`nsqlookupd ${lookupd} is unreachable`)), (found) => found.length > 0)
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* shows(
        view,
        new RegExp(`nsqlookupd ${lookupd} is unreachable: no reply yet, first request \\d\\d:\\d\\d, \\d`)
      )
      isBroken = false
      yield* until(Effect.sync(() => lines(`nsqlookupd ${lookupd} is reachable again`)), (found) => found.length > 0)
      yield* shows(view, "No topics found")
      assert.lengthOf(lines(`nsqlookupd ${lookupd} is unreachable`), 1)
    }))

  it.effect("a refused tail can be started again", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first] } = yield* startCluster()
      yield* first.post("/topic/create?topic=orders")
      yield* first.post("/pub?topic=orders", "x")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* view.act((page) => page.locator("summary", { hasText: "Tail messages" }).click())
      const start = view.page.getByRole("button", { name: "Start tail" })
      yield* view.act(() => start.click())
      yield* view.act((page) => page.getByRole("alert").filter({ hasText: /channel first/ }).waitFor())
      yield* view.act(() => start.waitFor())
      yield* first.post("/channel/create?topic=orders&channel=archive")
      yield* view.act(() => start.click())
      yield* shows(view, /Reading from channel/)
    }))

  it.effect("the address keeps filter and order, and the filter finds channels", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster()
      yield* create("orders", "archive", "billing")
      yield* create("payments", "audit")
      yield* first.post("/mpub?topic=payments", "a\nb")
      const view = yield* tab(admin.url)
      yield* view.open("/")
      const links = view.act((page) => page.locator("tbody th a").allInnerTexts())
      yield* until(links, (names) => names.join() === "payments,orders")
      yield* view.act((page) => page.getByRole("button", { name: "Topic", exact: true }).click())
      yield* until(links, (names) => names.join() === "orders,payments")
      yield* view.act((page) => page.getByRole("searchbox").fill("bill"))
      yield* until(links, (names) => names.join() === "orders,/ billing")
      assert.strictEqual(new URL(view.page.url()).search, "?sort=topic&filter=bill")
      yield* view.act((page) => page.reload())
      yield* until(links, (names) => names.join() === "orders,/ billing")
      yield* view.act((page) => page.getByRole("link", { name: "/ billing" }).click())
      yield* heading(view, "Channel billing")
      yield* view.act((page) => page.goBack())
      yield* until(links, (names) => names.join() === "orders,/ billing")
      yield* view.act((page) => page.getByRole("searchbox").fill("nothing like this"))
      yield* view.act((page) => page.getByRole("button", { name: "Clear filter" }).click())
      yield* until(links, (names) => names.join() === "orders,payments")
    }))
})
