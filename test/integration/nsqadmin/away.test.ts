import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { ServerResponse } from "node:http"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser, type Tab } from "./browser.ts"
import { request, startAdmin, startCluster, until } from "./cluster.ts"

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

/** The row with a link of that name. */
const row = (tab: Tab, name: string | RegExp) =>
  tab.page.getByRole("row").filter({ has: tab.page.getByRole("link", { name }) }).first()

const bodies = (count: number) => Array(count).fill("x").join("\n")

layer(Browser.layer, { excludeTestServices: true })("an nsqd that is away", (it) => {
  it.effect("its figures remain in the totals, in its rows and in the charts, marked as stale with their age", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first, second] } = yield* startCluster()
      yield* create("orders", "archive")
      yield* first.post("/mpub?topic=orders", bodies(5))
      yield* second.post("/mpub?topic=orders", bodies(35))
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act(() => row(view, "orders").getByText("40", { exact: true }).first().waitFor())
      yield* second.stop
      yield* view.act(() => row(view, "orders").getByText(/stale: \d+ s old/).waitFor())
      assert.strictEqual(
        yield* view.act(() => row(view, "orders").locator("td.backlog span").first().innerText()),
        "40"
      )

      yield* view.act(() => row(view, "orders").getByRole("link", { name: "orders" }).click())
      yield* shows(view, new RegExp(`nsqd .*${second.http}.* is unreachable: last reply \\d\\d:\\d\\d, \\d`))
      const away = row(view, new RegExp(second.http))
      yield* view.act(() => away.getByText(/stale: \d+ s old/).waitFor())
      yield* view.act(() => row(view, "archive").getByText("40", { exact: true }).waitFor())
      yield* view.act(() => row(view, "archive").getByText(/stale/).waitFor())
      const total = view.page.locator("tfoot tr.away").getByText(/Total includes stale: \d+ s old/)
      yield* view.act(() => total.waitFor())
      // Its chart has a gap, and the backlog of the topic does not drop.
      yield* view.act(() => away.getByRole("img", { name: /backlog in the past hour: current unknown/ }).waitFor())
      yield* view.act((page) =>
        page.getByRole("img", { name: /backlog in the past hour: current 40, maximum 40/ }).first().waitFor()
      )
      yield* view.act(() => row(view, "archive").getByRole("link", { name: "archive" }).click())
      yield* view.act(() => row(view, new RegExp(second.http)).getByText(/stale/).waitFor())
      yield* view.act(() => row(view, new RegExp(second.http)).getByText("35", { exact: true }).waitFor())
      yield* view.act(() => total.waitFor())
      yield* view.open(`/nodes/${second.http}`)
      yield* view.act(() => row(view, "orders / archive").getByText("35", { exact: true }).waitFor())
    }))

  it.effect("a topic that only it has keeps its figures, and deleting it states what nsqadmin does not know", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, lookupds, nsqds: [, second] } = yield* startCluster()
      yield* second.post("/topic/create?topic=lonely")
      yield* second.post("/channel/create?topic=lonely&channel=worker")
      yield* second.post("/mpub?topic=lonely", bodies(1500))
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act(() => row(view, "lonely").getByText("1,500").first().waitFor())
      yield* second.stop
      yield* view.act(() => row(view, "lonely").getByText(/stale/).waitFor())
      yield* view.act((page) => page.getByRole("link", { name: "lonely" }).click())
      yield* shows(view, new RegExp(`Topic lonely is known only on ${second.http}, which does not respond`))
      yield* view.act(() => row(view, "worker").getByText("1,500").waitFor())
      // The only action, and it does not pretend to be safe.
      assert.strictEqual(yield* view.act((page) => page.getByRole("button", { name: "Empty topic" }).count()), 0)
      yield* view.act((page) => page.getByRole("button", { name: "Delete topic" }).click())
      yield* shows(view, "nsqadmin does not know everything at the moment.")
      yield* shows(view, /keeps its messages: 1,500 waiting, 0 in flight, 0 deferred when it was last seen/)
      const confirm = view.page.getByRole("dialog").getByRole("button", { name: "Delete topic" })
      assert.isTrue(yield* view.act(() => confirm.isDisabled()))
      yield* view.act((page) => page.getByLabel(/to confirm/).fill("lonely"))
      yield* view.act(() => confirm.click())
      yield* shows(view, /The topic has been deleted/)
      yield* until(lookupds[0].get("/topics"), ({ text }) => text.includes("\"topics\":[]"))
      // Its figures are still there, because the nsqd comes back with the topic.
      yield* view.act(() => row(view, "lonely").getByText(/stale/).waitFor())
      yield* view.open("/topics/lonely/worker")
      yield* shows(view, /Channel worker is known only on/)
    }))

  it.effect("while daemons are away no page states more than is known", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds: [, lookupd], nsqds: [, second] } = yield* startCluster()
      yield* create("orders", "archive")
      yield* second.post("/mpub?topic=orders", bodies(35))
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act(() => row(view, "orders").getByText("35", { exact: true }).first().waitFor())
      yield* second.stop
      yield* lookupd.stop
      yield* shows(view, new RegExp(`nsqlookupd ${lookupd.http} is unreachable: last reply`))
      yield* shows(view, new RegExp(`nsqd .*${second.http}.* is unreachable: last reply`))

      yield* view.open("/topics/nope")
      yield* shows(view, "No daemon that responds has the topic nope, and 2 daemons do not respond.")
      yield* view.open("/lookup")
      yield* shows(view, "Every topic in the nsqlookupds that respond has a producer; 1 of 2 does not respond.")
      const listed = view.page.getByRole("listitem").filter({ hasText: lookupd.http })
      yield* view.act(() => listed.getByText(/unreachable: last reply \d+ s ago/).waitFor())
      yield* view.open("/policies")
      yield* shows(view, `The policies of ${second.http} are not known and cannot be changed`)
      yield* view.open(`/nodes/${second.http}/clients/127.0.0.1:1`)
      yield* shows(view, "does not respond: whether the client is connected to it is not known")

      yield* view.open("/nodes")
      yield* shows(view, "Nodes (2)")
      const away = view.page.getByRole("table", { name: "nsqds that are away" })
      yield* view.act(() => away.getByText("35", { exact: true }).waitFor())
      yield* view.act(() => away.getByRole("link", { name: new RegExp(second.http) }).click())
      yield* view.act(() => row(view, "orders / archive").getByText("35", { exact: true }).waitFor())
      // The heading says it, and not each row.
      assert.strictEqual(yield* view.act((page) => page.getByText(/stale: .* old/).count()), 1)

      // An nsqlookupd has no page of a node.
      yield* view.open("/counter")
      yield* shows(view, /includes stale: .* old/)

      yield* view.open("/warnings")
      yield* view.act((page) => page.getByRole("link", { name: lookupd.http }).click())
      yield* view.act((page) => page.getByRole("heading", { level: 1, name: "Daemons" }).waitFor())
    }))

  it.effect("a page shows what is known while an nsqd does not respond", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds, nsqds: [first] } = yield* startCluster()
      yield* create("orders", "archive")
      yield* first.post("/mpub?topic=orders", bodies(7))
      yield* request(`http://${first.http}/policies`, { method: "PUT", body: `{"match":"orders","max_depth":50}` })
      yield* admin.stop
      let state: "well" | "frozen" | "broken" = "well"
      const waiting: Array<ServerResponse> = []
      const stats = { version: "1.3.0", health: "OK", topics: [{ topic_name: "orders", depth: 3, channels: [] }] }
      const frozen = yield* fakeServer(({ url = "" }, response) => {
        const [, port] = frozen.split(":")
        const info = { version: "1.3.0", broadcast_address: "127.0.0.1", hostname: "frozen", http_port: Number(port) }
        if (state === "frozen") waiting.push(response)
        else if (state === "broken") response.destroy()
        else response.end(JSON.stringify(url.startsWith("/stats") ? stats : { ...info, tcp_port: 1 }))
      })
      assert.isNotEmpty(lookupds)
      // No request ends before a page has shown what is known.
      const httpClientRequestTimeout = Duration.minutes(10)
      const slow = yield* startAdmin({ nsqdHttpAddresses: [first.http, frozen], httpClientRequestTimeout })
      const view = yield* tab(slow.url)
      yield* view.open("/")
      yield* view.act(() => row(view, "orders").getByText("10", { exact: true }).first().waitFor())
      state = "frozen"
      yield* view.act((page) => page.getByRole("link", { name: "orders" }).click())
      yield* view.act((page) => page.getByRole("link", { name: "archive" }).waitFor())
      yield* view.act((page) => page.getByRole("link", { name: new RegExp(frozen) }).waitFor())
      yield* view.act((page) => page.getByText("not replied yet: the policies in force").waitFor())
      yield* view.act((page) => page.getByRole("table", { name: "Policy in force" }).waitFor())
      yield* view.open(`/messages/orders/archive?node=${first.http}`)
      yield* view.act((page) => page.getByRole("form", { name: "Filter of messages" }).getByLabel("Node").waitFor())
      yield* view.act((page) => page.getByText("7 messages").waitFor())
      yield* view.open("/policies")
      yield* shows(view, `${frozen} has not replied yet: the policies of the other nsqds are shown.`)
      yield* view.act((page) => page.getByRole("cell", { name: "max_depth: 50" }).waitFor())
      state = "broken"
      for (const response of waiting) response.destroy()
      yield* shows(view, `The policies of ${frozen} are not known and cannot be changed at the moment`)
    }))
})
