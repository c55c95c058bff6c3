import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser, type Tab } from "./browser.ts"
import { request, startCluster, until } from "./cluster.ts"

/** The buttons of a page without those that choose what its charts show. */
const buttons = (tab: Tab) =>
  tab.act((page) =>
    page.locator("main").getByRole("button").evaluateAll((found) =>
      found.filter((button) => button.closest(".ranges") === null).map((button) => button.textContent ?? "")
    )
  )

const focused = (tab: Tab) => tab.act((page) => page.evaluate<string>("document.activeElement?.textContent ?? ''"))

/** Presses Tab until the element with that text has the focus. */
const tabTo = Effect.fnUntraced(function*(tab: Tab, text: string) {
  for (let presses = 0; presses < 60; presses++) {
    yield* tab.act((page) => page.keyboard.press("Tab"))
    if ((yield* focused(tab)).trim() === text) return
  }
  return yield* Effect.die(new Error(`Tab does not lead to ${text}`))
})

const press = (tab: Tab, key: string) => tab.act((page) => page.keyboard.press(key))

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's access control and accessibility", (it) => {
  it.effect("a user without administrator rights sees the pages without buttons", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds, topicOn } = yield* startCluster({ adminUsers: ["alice"] })
      yield* create("orders")
      const visitor = yield* tab(admin.url)
      yield* visitor.open("/topics/orders")
      yield* visitor.act((page) => page.getByRole("heading", { name: "Channels" }).waitFor())
      assert.deepStrictEqual(yield* buttons(visitor), [])
      // Nor does a page propose what the user cannot do.
      yield* visitor.open("/topics/nope")
      yield* visitor.act((page) => page.getByText("A topic is created with its first message. See all").waitFor())
      yield* visitor.open("/topics/orders/nope")
      yield* visitor.act((page) => page.getByText("A consumer creates it when it subscribes. See topic").waitFor())
      const body = JSON.stringify({ action: "pause" })
      const refused = yield* request(`${admin.url}/api/topics/orders`, { method: "POST", body })
      assert.deepStrictEqual(refused, { status: 403, text: "{\"message\":\"FORBIDDEN\"}" })
      const alice = yield* tab(admin.url, { extraHTTPHeaders: { "X-Forwarded-User": "alice" } })
      yield* alice.open("/topics/orders")
      yield* alice.act((page) => page.getByRole("button", { name: "Pause topic" }).click())
      yield* alice.act((page) => page.getByRole("dialog").getByRole("button", { name: "Pause topic" }).click())
      yield* alice.act((page) => page.getByText("The topic has been paused.").waitFor())
      assert.isTrue((yield* topicOn(nsqds[0], "orders"))?.paused)
    }))

  it.effect("a page of another site cannot perform an action", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds, topicOn } = yield* startCluster()
      yield* create("orders")
      const site = yield* fakeServer((_, outgoing) => {
        outgoing.setHeader("content-type", "text/html").end("<title>Evil</title>")
      })
      // Browsers treat localhost and 127.0.0.1 as different sites.
      const evil = yield* tab(`http://${site.replace("127.0.0.1", "localhost")}`)
      yield* evil.open("/")
      const attack =
        `fetch("${admin.url}/api/topics/orders", { method: "POST", mode: "no-cors", body: '{"action":"pause"}' })
        .then(() => "sent")`
      evil.page.removeAllListeners("request")
      assert.strictEqual(yield* evil.act((page) => page.evaluate<string>(attack)), "sent")
      assert.isFalse((yield* topicOn(nsqds[0], "orders"))?.paused)
    }))

  it.effect("an action can be performed with the keyboard alone", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds, topicOn } = yield* startCluster()
      yield* create("orders")
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act((page) => page.getByRole("link", { name: "orders" }).waitFor())
      yield* tabTo(view, "Skip to content")
      yield* press(view, "Enter")
      yield* tabTo(view, "orders")
      const outline = yield* view.act((page) =>
        page.evaluate<string>("getComputedStyle(document.activeElement).outlineStyle")
      )
      assert.strictEqual(outline, "solid")
      yield* press(view, "Enter")
      yield* view.act((page) => page.getByRole("button", { name: "Pause topic" }).waitFor())
      yield* tabTo(view, "Pause topic")
      yield* press(view, "Enter")
      yield* view.act((page) => page.getByRole("dialog", { name: /^Pause topic orders/ }).waitFor())
      yield* tabTo(view, "Pause topic")
      yield* press(view, "Enter")
      yield* view.act((page) => page.getByText("The topic has been paused.").waitFor())
      yield* until(topicOn(nsqds[0], "orders"), (topic) => topic?.paused === true)
    }))

  it.effect("every control has an accessible name", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds } = yield* startCluster()
      yield* create("orders", "archive")
      const view = yield* tab(admin.url)
      for (
        const place of ["/", "/topics/orders", "/topics/orders/archive", "/nodes", `/nodes/${nsqds[0].http}`, "/lookup"]
      ) {
        yield* view.open(place)
        yield* view.act((page) => page.getByText(/orders|archive|nsqlookupd hosts|nsqd nodes/).first().waitFor())
        const snapshot = yield* view.act((page) => page.locator("body").ariaSnapshot())
        // The snapshot lists a control without a name by its role alone.
        assert.notMatch(snapshot, /- (button|link|combobox|textbox|searchbox|img)(:|$)/m, place)
      }
    }))
})
