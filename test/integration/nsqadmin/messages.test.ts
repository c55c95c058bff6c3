import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster, until } from "./cluster.ts"
import { consume } from "./consumer.ts"

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

const unfold = (tab: Tab, summary: string) => tab.act((page) => page.locator("summary", { hasText: summary }).click())

/** Strings that must appear as text and never run as scripts. */
const script = "<script>alert('script')</script>"
const image = "<img src=x onerror=alert('image')>"

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's messages", (it) => {
  it.effect("a test message is published to the selected node", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first, second], topicOn } = yield* startCluster()
      yield* create("orders")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* unfold(view, "Publish a test message")
      yield* view.act((page) => page.getByLabel("Body").fill("hello"))
      yield* view.act((page) => page.getByRole("combobox", { name: "Node", exact: true }).selectOption(second.http))
      yield* view.act((page) => page.getByRole("button", { name: "Publish message" }).click())
      yield* shows(view, "The message has been published.")
      assert.strictEqual((yield* topicOn(second, "orders"))?.message_count, 1)
      assert.strictEqual((yield* topicOn(first, "orders"))?.message_count, 0)
      yield* view.act((page) => page.getByLabel("Encoding").selectOption("base64"))
      yield* view.act((page) => page.getByLabel("Body").fill("%%%"))
      yield* view.act((page) => page.getByRole("button", { name: "Publish message" }).click())
      yield* view.act((page) => page.getByRole("alert").filter({ hasText: /base64|INVALID_BODY/i }).waitFor())
    }))

  it.effect("a tail shows messages as JSON, text or hex, and its channel is deleted afterwards", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first, second], topicOn } = yield* startCluster()
      yield* create("orders", "archive")
      const tails = Effect.map(
        Effect.all([topicOn(first, "orders"), topicOn(second, "orders")]),
        (topics) =>
          topics.flatMap((topic) => topic?.channels ?? []).filter(({ channel_name }) => channel_name !== "archive")
      )
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* unfold(view, "Tail messages")
      yield* view.act((page) => page.getByRole("button", { name: "Start tail" }).click())
      yield* shows(view, /Reading from channel nsqadmin_.*#ephemeral on 2 nodes/)
      assert.lengthOf(yield* tails, 2)
      yield* first.post("/pub?topic=orders", "{\"id\":7}")
      yield* shows(view, /"id": 7/)
      yield* second.post("/pub?topic=orders", `${script}${image}`)
      yield* shows(view, `${script}${image}`)
      yield* view.act((page) => page.getByLabel("Show as").selectOption("hex"))
      yield* shows(view, /7b 22 69 64 22 3a 37 7d/)
      yield* view.act((page) => page.getByRole("button", { name: "Stop tail" }).click())
      yield* until(tails, (channels) => channels.length === 0)
      // Leaving the page deletes the channel as well.
      yield* view.act((page) => page.getByRole("button", { name: "Start tail" }).click())
      yield* shows(view, /Reading from channel/)
      yield* view.act((page) => page.goto("about:blank"))
      yield* until(tails, (channels) => channels.length === 0)
    }))

  it.effect("scripts in names of clients appear as text", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster()
      yield* create("orders", "archive")
      const identity = { client_id: script, hostname: image, user_agent: script }
      yield* consume(first.tcp, { topic: "orders", channel: "archive", ready: 0, does: "finish", identity })
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/archive")
      yield* shows(view, script)
      yield* shows(view, image)
      yield* view.open(`/nodes/${first.http}`)
      yield* unfold(view, "orders")
      yield* shows(view, image)
    }))

  it.effect("scripts in responses of an nsqd appear as text", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const liar = yield* lyingNsqd
      const admin = yield* startAdmin({ nsqdHttpAddresses: [liar] })
      const view = yield* tab(admin.url)
      const shown = { "/": script, "/nodes": image, [`/nodes/${liar}`]: script, "/daemons": image, "/warnings": script }
      for (const [place, text] of Object.entries(shown)) {
        yield* view.open(place)
        yield* shows(view, text)
      }
    }))
})

const lyingNsqd = fakeServer(({ url = "" }, response) => {
  const stats = { version: image, health: image, topics: [{ topic_name: script, depth: 1, channels: [] }] }
  const info = { version: image, hostname: image, topology_zone: image }
  response.end(JSON.stringify(url.startsWith("/stats") ? stats : info))
})
