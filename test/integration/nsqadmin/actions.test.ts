import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster, until } from "./cluster.ts"
import { consume } from "./consumer.ts"

const press = (tab: Tab, name: string | RegExp) =>
  tab.act((page) => page.getByRole("button", { name, exact: true }).click())

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

/** Waits until a button has the focus. */
const focused = (tab: Tab, name: string) =>
  tab.act((page) => page.locator("button:focus", { hasText: new RegExp(`^${name}$`) }).waitFor())

/** Presses a button, checks the question of the dialog, and confirms it. */
const confirm = Effect.fnUntraced(function*(tab: Tab, button: string, question: string | RegExp) {
  yield* press(tab, button)
  const dialog = tab.page.getByRole("dialog", { name: question })
  yield* tab.act(() => dialog.waitFor())
  const label = button.split(":")[0] ?? button
  yield* tab.act(() => dialog.getByRole("button", { name: label, exact: true }).click())
})

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's actions", (it) => {
  it.effect("an action on a topic applies to every nsqd after its confirmation", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds, nsqds, topicOn } = yield* startCluster()
      yield* create("orders")
      for (const nsqd of nsqds) yield* nsqd.post("/pub?topic=orders", "x")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      const states = Effect.all(nsqds.map((nsqd) => topicOn(nsqd, "orders")))

      yield* confirm(view, "Pause topic", "Pause topic orders on 2 nodes?")
      yield* shows(view, "The topic has been paused.")
      yield* focused(view, "Unpause topic")
      assert.deepStrictEqual((yield* states).map((state) => state?.paused), [true, true])
      yield* view.act((page) => page.getByText("paused", { exact: true }).first().waitFor())
      yield* confirm(view, "Unpause topic", "Unpause topic orders on 2 nodes?")
      yield* shows(view, "The topic has been unpaused.")
      assert.deepStrictEqual((yield* states).map((state) => state?.paused), [false, false])

      yield* view.act((page) => page.locator("summary", { hasText: "Create a channel" }).click())
      yield* view.act((page) => page.getByLabel("Channel name").fill("made"))
      yield* press(view, "Create channel")
      yield* shows(view, "Channel made has been created.")
      const made = yield* states
      assert.deepStrictEqual(made.map((state) => state?.channels.map(({ channel_name }) => channel_name)), [["made"], [
        "made"
      ]])
      for (const nsqd of nsqds) {
        yield* nsqd.post("/channel/delete?topic=orders&channel=made")
        yield* nsqd.post("/topic/empty?topic=orders")
        yield* nsqd.post("/pub?topic=orders", "x")
      }
      yield* view.act((page) => page.getByRole("link", { name: "made" }).waitFor({ state: "detached" }))

      // Closing the dialog cancels the action.
      yield* press(view, "Empty topic")
      yield* shows(view, "2 messages will be lost: 2 waiting, 0 in flight, 0 deferred.")
      yield* press(view, "Cancel")
      yield* focused(view, "Empty topic")
      yield* press(view, "Empty topic")
      yield* view.act((page) => page.keyboard.press("Escape"))
      yield* view.act((page) => page.getByRole("dialog").waitFor({ state: "detached" }))
      assert.deepStrictEqual((yield* states).map((state) => state?.depth), [1, 1])

      yield* confirm(view, "Empty topic", "Empty topic orders on 2 nodes?")
      yield* shows(view, "The topic has been emptied.")
      assert.deepStrictEqual((yield* states).map((state) => state?.depth), [0, 0])

      yield* confirm(view, "Delete topic", "Delete topic orders on 2 nodes?")
      yield* view.act((page) => page.getByRole("heading", { level: 1, name: "Topics" }).waitFor())
      yield* shows(view, "The topic has been deleted.")
      assert.deepStrictEqual(yield* states, [undefined, undefined])
      for (const lookupd of lookupds) assert.include((yield* lookupd.get("/topics")).text, "\"topics\":[]")
      yield* shows(view, "No topics found")
    }))

  it.effect("an action on a channel applies to every nsqd", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds, topicOn } = yield* startCluster()
      yield* create("orders", "billing#ephemeral", "archive")
      for (const nsqd of nsqds) yield* nsqd.post("/pub?topic=orders", "x")
      const channels = Effect.all(nsqds.map((nsqd) =>
        Effect.map(topicOn(nsqd, "orders"), (topic) => topic?.channels.find((one) => one.channel_name === "archive"))
      ))
      yield* until(channels, (found) =>
        found.every((channel) => channel?.depth === 1))
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/archive")

      yield* confirm(view, "Pause channel", "Pause channel archive on 2 nodes?")
      yield* shows(view, "The channel has been paused.")
      assert.deepStrictEqual((yield* channels).map((channel) => channel?.paused), [true, true])
      yield* confirm(view, "Unpause channel", "Unpause channel archive on 2 nodes?")
      yield* shows(view, "The channel has been unpaused.")
      assert.deepStrictEqual((yield* channels).map((channel) => channel?.paused), [false, false])
      yield* confirm(view, "Empty channel", "Empty channel archive on 2 nodes?")
      yield* shows(view, "The channel has been emptied.")
      assert.deepStrictEqual((yield* channels).map((channel) => channel?.depth), [0, 0])
      yield* confirm(view, "Delete channel", "Delete channel archive on 2 nodes?")
      yield* view.act((page) => page.getByRole("heading", { level: 1, name: "Topic orders" }).waitFor())
      assert.deepStrictEqual(yield* channels, [undefined, undefined])
    }))

  it.effect("the dialog counts waiting, deferred and in flight messages on each nsqd", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first, second] } = yield* startCluster()
      yield* create("orders", "archive")
      yield* consume(second.tcp, { topic: "orders", channel: "archive", ready: 1, does: "hold" })
      for (let i = 0; i < 7; i++) yield* first.post("/pub?topic=orders&defer=600000", "later")
      yield* first.post("/mpub?topic=orders", "a\nb")
      yield* second.post("/pub?topic=orders", "held")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/archive")
      yield* view.act((page) => page.getByRole("button", { name: "Empty channel" }).waitFor())
      const buttons = yield* view.act((page) =>
        page.getByRole("group", { name: "Actions on channel archive" }).getByRole("button").allInnerTexts()
      )
      // Those that lose messages come last.
      assert.deepStrictEqual(buttons, ["Pause channel", "Empty channel", "Delete channel"])
      yield* press(view, "Empty channel")
      yield* shows(view, "10 messages will be lost: 2 waiting, 1 in flight, 7 deferred.")
      yield* shows(view, `${first.http}: 2 waiting, 0 in flight, 7 deferred`)
      yield* shows(view, `${second.http}: 0 waiting, 1 in flight, 0 deferred`)
      yield* press(view, "Cancel")
      yield* press(view, "Delete channel")
      yield* shows(view, "10 messages will be lost: 2 waiting, 1 in flight, 7 deferred.")
    }))

  it.effect("more than a thousand messages at stake require the typed name", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first, second], topicOn } = yield* startCluster()
      yield* create("orders", "archive")
      yield* first.post("/mpub?topic=orders", Array(600).fill("x").join("\n"))
      yield* second.post("/mpub?topic=orders", Array(401).fill("x").join("\n"))
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders/archive")
      yield* press(view, "Empty channel")
      yield* shows(view, "1,001 messages will be lost: 1,001 waiting, 0 in flight, 0 deferred.")
      const button = view.page.getByRole("dialog").getByRole("button", { name: "Empty channel" })
      assert.isTrue(yield* view.act(() => button.isDisabled()))
      yield* view.act((page) => page.getByLabel("Type archive to confirm").fill("archiv"))
      assert.isTrue(yield* view.act(() => button.isDisabled()))
      yield* view.act((page) => page.getByLabel("Type archive to confirm").fill("archive"))
      yield* view.act(() => button.click())
      yield* shows(view, "The channel has been emptied.")
      assert.strictEqual((yield* topicOn(first, "orders"))?.channels[0]?.depth, 0)
      yield* first.post("/mpub?topic=orders", Array(1000).fill("x").join("\n"))
      yield* view.act((page) => page.getByText("1,000", { exact: true }).first().waitFor())
      yield* press(view, "Empty channel")
      yield* shows(view, "1,000 messages will be lost")
      assert.isFalse(yield* view.act(() => button.isDisabled()))
    }))

  it.effect("a topic can be tombstoned on one nsqd, from its page and from the page of the node", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first, second], topicOn } = yield* startCluster()
      yield* create("orders")
      yield* create("payments")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* confirm(view, `Tombstone topic: ${first.http}`, `Tombstone topic orders on ${first.http}?`)
      yield* until(topicOn(first, "orders"), (state) => state === undefined)
      assert.isDefined(yield* topicOn(second, "orders"))
      yield* view.open(`/nodes/${second.http}`)
      yield* view.act((page) => page.locator("summary", { hasText: "payments" }).click())
      yield* confirm(view, "Tombstone topic", `Tombstone topic payments on ${second.http}?`)
      yield* until(topicOn(second, "payments"), (state) => state === undefined)
      assert.isDefined(yield* topicOn(first, "payments"))
    }))

  it.effect("the Lookup page creates topics and channels, and deletes those without producers", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, lookupds } = yield* startCluster()
      const view = yield* tab(admin.url)
      yield* view.open("/lookup")
      yield* shows(view, "Every topic in nsqlookupd has a producer.")
      const fill = (label: string | RegExp, text: string) => view.act((page) => page.getByLabel(label).fill(text))
      yield* fill("Topic name", "not a name")
      assert.isTrue(yield* view.act((page) => page.getByRole("button", { name: "Create topic" }).isDisabled()))
      yield* fill("Topic name", "made")
      yield* fill(/Channel name/, "first")
      yield* view.act((page) => page.keyboard.press("Enter"))
      yield* shows(view, "Channel made / first has been created.")
      for (const lookupd of lookupds) {
        assert.include((yield* lookupd.get("/channels?topic=made")).text, "[\"first\"]")
      }
      yield* confirm(view, "Delete channel: made / first", "Delete channel made / first?")
      yield* view.act((page) =>
        page.getByRole("button", { name: "Delete channel: made / first" }).waitFor({ state: "detached" })
      )
      yield* confirm(view, "Delete topic: made", "Delete topic made?")
      yield* shows(view, "Every topic in nsqlookupd has a producer.")
      for (const lookupd of lookupds) assert.include((yield* lookupd.get("/topics")).text, "\"topics\":[]")
    }))

  it.effect("partial and complete failures of an action are shown", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { create, lookupds } = yield* startCluster()
      yield* create("orders")
      const dead = "127.0.0.1:1"
      const admin = yield* startAdmin({ lookupdHttpAddresses: [...lookupds.map(({ http }) => http), dead] })
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* confirm(view, "Pause topic", "Pause topic orders on 2 nodes?")
      yield* shows(view, "The topic has been paused. Not every daemon did so.")
      yield* view.act((page) => page.locator(".outcome summary", { hasText: "Show the error" }).click())
      yield* shows(view, new RegExp(`WARNING: .*${dead}`))
      yield* view.act((page) => page.getByRole("button", { name: "Unpause topic" }).waitFor())
      yield* admin.stop
      yield* confirm(view, "Unpause topic", "Unpause topic orders on 2 nodes?")
      yield* view.act((page) =>
        page.getByRole("alert").filter({ hasText: "nsqadmin does not respond" }).first().waitFor()
      )
    }))
})
