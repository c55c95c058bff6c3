import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Browser, type Tab } from "./browser.ts"
import { request, startCluster, until } from "./cluster.ts"

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

const press = (tab: Tab, name: string) => tab.act((page) => page.getByRole("button", { name, exact: true }).click())

/** Presses a button, checks the question of the dialog, and confirms it. */
const confirm = Effect.fnUntraced(function*(tab: Tab, button: string, question: string) {
  yield* press(tab, button)
  const dialog = tab.page.getByRole("dialog", { name: question })
  yield* tab.act(() => dialog.waitFor())
  yield* tab.act(() => dialog.getByRole("button", { name: button.replace(/:.*/, ""), exact: true }).click())
})

const rows = (tab: Tab) => tab.page.getByRole("list", { name: "Messages" }).locator("li")

/** A cluster whose first nsqd has messages of a durable topic, and an ordinary topic. */
const loaded = Effect.gen(function*() {
  const cluster = yield* startCluster({}, { topicDurability: ["orders=written"] })
  const { create, nsqds: [first] } = cluster
  yield* create("orders", "billing")
  yield* create("plain", "worker")
  for (const body of [`{"order":1}`, `{"order":2}`]) yield* first.post("/pub?topic=orders", body)
  yield* first.post("/pub?topic=orders&defer=3600000", `{"order":3,"user":{"id":42}}`)
  return cluster
})

layer(Browser.layer, { excludeTestServices: true })("stored messages, rewinds and policies in nsqadmin", (it) => {
  it.effect("messages are browsed by state and filter, opened, requeued and deleted", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first], topicOn } = yield* loaded
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/billing")
      yield* view.act((page) => page.getByRole("link", { name: "Browse messages" }).click())
      yield* view.act((page) => page.getByRole("combobox", { name: /^Node/ }).selectOption(first.http))
      yield* shows(view, "3 messages, 3 searched")
      yield* view.act((page) => page.getByLabel("Filter by").selectOption("json"))
      yield* view.act((page) => page.getByRole("searchbox", { name: "Filter" }).fill("user.id=42"))
      yield* press(view, "Search messages")
      yield* shows(view, "1 message, 3 searched")
      yield* view.act(() => rows(view).first().locator("summary").click())
      yield* view.act((page) => page.getByLabel("Body of message 3").getByText(`"id": 42`).waitFor())
      yield* confirm(view, "Requeue message", "Requeue message 3 of orders / billing?")
      yield* shows(view, "Message 3 has been requeued.")
      const state = (yield* topicOn(first, "orders"))?.channels[0]
      assert.deepStrictEqual([state?.depth, state?.deferred_count], [3, 0])
      yield* confirm(view, "Delete message", "Delete message 3 from orders / billing?")
      yield* shows(view, "Message 3 has been deleted.")
      assert.strictEqual((yield* topicOn(first, "orders"))?.channels[0]?.depth, 2)

      yield* view.act((page) => page.getByLabel("Filter by").selectOption("regex"))
      yield* view.act((page) => page.getByRole("searchbox", { name: "Filter" }).fill("("))
      yield* press(view, "Search messages")
      yield* shows(view, "The filter is not a valid regular expression.")

      yield* view.open(`/messages/plain?state=retained&node=${first.http}`)
      yield* shows(view, /is not durable on this node.*--topic-durability=plain=written/)

      yield* view.open("/messages/orders?node=127.0.0.1:1")
      yield* shows(view, "The node does not respond to nsqadmin. Select another one.")
      const node = view.page.getByRole("combobox", { name: /^Node/ })
      assert.strictEqual(yield* view.act(() => node.inputValue()), "127.0.0.1:1")
    }))

  it.effect("messages of a topic that is not durable are browsed, requeued and deleted by their ids", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first], topicOn } = yield* loaded
      yield* first.post("/pub?topic=plain", "now")
      yield* first.post("/pub?topic=plain&defer=3600000", "later")
      const view = yield* tab(admin.url)
      yield* view.open(`/messages/plain?node=${first.http}`)
      yield* shows(view, "Messages of a topic that is not durable wait in its channels: browse one of them.")
      yield* view.open(`/messages/plain/worker?node=${first.http}&state=deferred`)
      yield* shows(view, "1 message, 1 searched")
      const summary = rows(view).first().locator("summary")
      const id = (yield* view.act(() => summary.locator("strong").textContent())) ?? ""
      assert.match(id, /^[0-9a-f]{16}$/)
      yield* view.act(() => summary.click())
      yield* confirm(view, "Requeue message", `Requeue message ${id} of plain / worker?`)
      yield* shows(view, `Message ${id} has been requeued.`)
      yield* view.open(`/messages/plain/worker?node=${first.http}&filter=later`)
      yield* shows(view, "1 message, 2 searched")
      yield* view.act(() => rows(view).first().locator("summary").click())
      yield* confirm(view, "Delete message", `Delete message ${id} from plain / worker?`)
      yield* shows(view, `Message ${id} has been deleted.`)
      const state = (yield* topicOn(first, "plain"))?.channels[0]
      assert.deepStrictEqual([state?.depth, state?.deferred_count], [1, 0])
    }))

  it.effect("dead letters are shown with their origin, and redriven one by one, by filter, at a rate and until that is cancelled", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first], topicOn } = yield* loaded
      yield* first.post("/channel/create?topic=orders&channel=small")
      yield* request(`http://${first.http}/policies`, {
        method: "PUT",
        body: `{"match":"orders/small","max_depth":1,"on_full":"dead_letter"}`
      })
      // At one message per second, the redrive of the pies takes longer than a slow browser needs to cancel it.
      const pies = Array.from({ length: 30 }, (_, i) => `apple pie ${i}`)
      for (const body of ["apple", "pear", ...pies, "last"]) yield* first.post("/pub?topic=orders", body)
      yield* until(topicOn(first, "orders.dlq"), (topic) => topic?.message_count === 32)
      // Otherwise the redriven message would make another one a dead letter.
      yield* request(`http://${first.http}/policies?match=orders/small`, { method: "DELETE" })
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/small")
      yield* view.act((page) => page.getByRole("link", { name: "Dead letters: 32" }).click())
      yield* view.act((page) => page.getByRole("combobox", { name: /^Node/ }).selectOption(first.http))
      yield* shows(view, "from orders / small: limit")
      yield* view.act(() => rows(view).first().locator("summary").click())
      yield* shows(view, "Topic of origin")
      yield* confirm(view, "Redrive message", "Redrive message 1 of orders.dlq?")
      yield* shows(view, /Last redrive done.*: 1 message published to where they came from/)
      yield* view.open("/messages/orders.dlq/redrive")
      yield* view.act((page) => page.getByRole("combobox", { name: /^Node/ }).selectOption(first.http))
      yield* press(view, "Redrive 31 messages")
      yield* press(view, "Cancel")
      yield* view.act((page) => page.getByRole("searchbox", { name: "Filter" }).fill("apple"))
      yield* press(view, "Search messages")
      yield* view.act((page) => page.getByRole("textbox", { name: "Redrive to" }).fill("fruit"))
      yield* view.act((page) => page.getByRole("spinbutton", { name: "Messages per second" }).fill("1"))
      const question = `Redrive 30 messages of orders.dlq on ${first.http}?`
      yield* confirm(view, "Redrive 30 messages", question)
      yield* until(topicOn(first, "fruit"), (topic) => (topic?.message_count ?? 0) > 0)
      yield* press(view, "Cancel redrive")
      yield* shows(view, /Last redrive cancelled.*published to fruit/)
      const left = (yield* topicOn(first, "orders.dlq"))?.channels[0]?.depth ?? 0
      const fruit = (yield* topicOn(first, "fruit"))?.message_count ?? 0
      assert.deepStrictEqual([left + fruit, left > 1], [31, true])
    }))

  it.effect("a rewind is possible when its preview states how many messages each nsqd delivers", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first], topicOn } = yield* loaded
      yield* request(`http://${first.http}/channel/empty?topic=orders&channel=billing`, { method: "POST" })
      yield* request(`http://${first.http}/pub?topic=orders`, { method: "POST", body: "new" })
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/billing")
      yield* press(view, "Rewind channel")
      const dialog = view.page.getByRole("dialog", { name: "Rewind channel billing?" })
      const go = dialog.getByRole("button", { name: "Rewind channel" })
      yield* view.act(() => dialog.getByLabel("To").selectOption("time"))
      assert.isTrue(yield* view.act(() => go.isDisabled()))
      yield* view.act(() => dialog.getByLabel("To").selectOption("end"))
      yield* view.act(() => dialog.getByText("0 messages will be delivered from there on.").waitFor())
      yield* view.act(() => go.click())
      yield* shows(view, "The channel billing has been rewound.")
      assert.strictEqual((yield* topicOn(first, "orders"))?.channels[0]?.depth, 0)
    }))

  it.effect("policies are added, shown where they apply, edited and deleted on all nsqds; errors stand at their fields", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first, second] } = yield* loaded
      const view = yield* tab(admin.url)
      const field = (name: string) => view.page.getByRole("textbox", { name, exact: true })
      yield* view.open("/policies")
      yield* shows(view, "No nsqd has a policy.")
      yield* view.act(() => field("match").fill("ord*"))
      yield* view.act(() => field("max_depth").fill("many"))
      yield* press(view, "Save policy on all nodes")
      yield* shows(view, /must be a whole number/)
      assert.strictEqual(yield* view.act(() => field("max_depth").getAttribute("aria-invalid")), "true")
      yield* view.act(() => field("max_depth").fill("500"))
      yield* press(view, "Save policy on all nodes")
      yield* shows(view, "The policy ord* is in force on 2 nodes.")
      yield* shows(view, "max_depth: 500")
      yield* view.open("/topics/orders")
      const table = view.page.getByRole("table", { name: "Policy in force" })
      yield* view.act(() => table.getByText("500").waitFor())

      yield* request(`http://${second.http}/policies`, {
        method: "PUT",
        body: `{"match":"ord*","max_depth":7}`
      })
      yield* view.open("/policies")
      yield* view.act((page) => page.getByText("differs").first().waitFor())
      yield* view.act((page) => page.getByRole("button", { name: "Edit: ord*" }).first().click())
      yield* view.act(() => field("max_depth").fill("600"))
      yield* press(view, "Save policy on all nodes")
      yield* shows(view, "max_depth: 600")
      yield* shows(view, "all (2)")
      yield* view.act((page) => page.getByRole("button", { name: "Delete: ord*" }).click())
      const dialog = view.page.getByRole("dialog", { name: "Delete policy ord* on all nodes?" })
      yield* view.act(() => dialog.getByRole("button", { name: "Delete" }).click())
      yield* shows(view, "No nsqd has a policy.")
      assert.strictEqual((yield* first.get("/policies")).text, `{"policies":[]}`)
    }))
})
