import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { violations, violationsInBothThemes } from "./axe.ts"
import { Browser, type Tab } from "./browser.ts"
import { startCluster } from "./cluster.ts"
import { consume } from "./consumer.ts"

const press = (tab: Tab, ...keys: ReadonlyArray<string>) =>
  tab.act(async (page) => {
    for (const key of keys) await page.keyboard.press(key)
  })

const isAt = (tab: Tab, path: string) => tab.act((page) => page.waitForURL(`**${path}`))

const options = (tab: Tab) => tab.page.getByRole("dialog").getByRole("option")

/** One cluster for all tests, which do not change it. */
class World extends Context.Service<World, Effect.Success<ReturnType<typeof startCluster>>>()("test/palette/World") {
  static readonly layer = Layer.effect(
    World,
    Effect.tap(startCluster(), ({ create }) => create("orders.created", "billing", "shipping"))
  )
}

layer(Layer.merge(Browser.layer, World.layer), { excludeTestServices: true })("nsqadmin's command palette", (it) => {
  it.effect("the keyboard alone leads to any topic, channel, node, client or page", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first] } = yield* World
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act((page) => page.getByRole("link", { name: "orders.created", exact: true }).waitFor())
      yield* press(view, "Control+k")
      yield* view.act((page) => page.keyboard.type("ordship"))
      yield* view.act(() => options(view).getByText("orders.created / shipping").waitFor())
      yield* press(view, "Enter")
      yield* isAt(view, "/topics/orders.created/shipping")
      assert.strictEqual(yield* view.act((page) => page.getByRole("dialog").count()), 0)
      yield* press(view, "/")
      yield* view.act((page) => page.keyboard.type("orders"))
      yield* view.act(() => options(view).nth(2).waitFor())
      yield* press(view, "ArrowDown", "ArrowDown", "ArrowUp", "Enter")
      yield* isAt(view, "/topics/orders.created/billing")
      yield* press(view, "Meta+k")
      yield* view.act((page) => page.keyboard.type(first.http))
      yield* view.act(() => options(view).first().and(options(view).filter({ hasText: first.http })).waitFor())
      yield* press(view, "Enter")
      yield* isAt(view, `/nodes/${first.http}`)
      yield* consume(first.tcp, {
        topic: "orders.created",
        channel: "billing",
        ready: 1,
        does: "finish",
        identity: { client_id: "biller-7", hostname: "biller-7.example.com" }
      })
      yield* press(view, "/")
      yield* view.act((page) => page.keyboard.type("biller-7"))
      yield* view.act(() =>
        options(view).first().and(options(view).filter({ hasText: "biller-7.example.com" })).waitFor()
      )
      yield* press(view, "Enter")
      yield* view.act((page) => page.waitForURL("**/clients/**"))
      yield* press(view, "g", "w")
      yield* isAt(view, "/warnings")
      yield* press(view, "Control+k")
      yield* view.act((page) => page.keyboard.type("zzz"))
      yield* view.act((page) => page.getByText("Nothing has a name like this.").waitFor())
      yield* press(view, "Escape")
      yield* view.act((page) => page.getByRole("dialog").waitFor({ state: "detached" }))
    }))

  it.effect("keys in an input are text, and the mouse works as well", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin } = yield* World
      const view = yield* tab(admin.url)
      yield* view.open("/")
      const filter = view.page.getByLabel("Filter")
      yield* view.act(() => filter.fill(""))
      yield* view.act(() => filter.pressSequentially("/?gw"))
      assert.strictEqual(yield* view.act(() => filter.inputValue()), "/?gw")
      assert.strictEqual(yield* view.act((page) => page.getByRole("dialog").count()), 0)
      yield* view.act((page) => page.getByRole("button", { name: "Go to" }).click())
      yield* view.act(() => options(view).getByText("Daemons").click())
      yield* isAt(view, "/daemons")
    }))

  it.effect("axe finds no violation in the palette and the help, in both themes and on a phone", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin } = yield* World
      const view = yield* tab(admin.url)
      yield* view.open("/")
      yield* view.act((page) => page.getByText("Live", { exact: true }).waitFor())
      yield* press(view, "Control+k")
      yield* view.act(() => options(view).first().waitFor())
      assert.deepStrictEqual(yield* violationsEverywhere(view), [])
      yield* press(view, "Escape", "?")
      yield* view.act((page) => page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor())
      assert.deepStrictEqual(yield* violationsEverywhere(view), [])
    }))
})

/** The violations in both themes, and on a phone. Leaves the page with the width of a desk. */
const violationsEverywhere = Effect.fnUntraced(function*(view: Tab) {
  const wide = yield* violationsInBothThemes(view)
  yield* view.act((page) => page.setViewportSize({ width: 390, height: 900 }))
  const narrow = yield* violations(view)
  yield* view.act((page) => page.setViewportSize({ width: 1280, height: 900 }))
  return [...wide, ...narrow]
})
