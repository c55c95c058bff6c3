import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Browser, type Tab } from "./browser.ts"
import { startAdmin, startCluster, until } from "./cluster.ts"
import { contrastOf } from "./contrast.ts"

const shows = (tab: Tab, text: string | RegExp) => tab.act((page) => page.getByText(text).first().waitFor())

/** Returns the color of each text in an element, and of what is behind it. */
const colors = (selector: string) =>
  `Array.from(document.querySelectorAll(${JSON.stringify(selector)}), (element) => {
    let behind = element
    const backOf = (one) => getComputedStyle(one).backgroundColor
    while (behind.parentElement && /^rgba\\(.*, 0\\)$/.test(backOf(behind))) behind = behind.parentElement
    return [element.innerText, getComputedStyle(element).color, backOf(behind)]
  })`

layer(Browser.layer, { excludeTestServices: true })("the look of nsqadmin's pages", (it) => {
  it.effect("the legend of a chart is legible in both themes, and has the current values before the second sample", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { create, lookupds, nsqds: [first] } = yield* startCluster()
      yield* create("orders", "archive")
      yield* first.post("/mpub?topic=orders", Array(35).fill("x").join("\n"))
      const admin = yield* startAdmin({
        lookupdHttpAddresses: lookupds.map(({ http }) => http),
        sampleInterval: Duration.minutes(10)
      })
      for (const colorScheme of ["light", "dark"] as const) {
        const view = yield* tab(admin.url, { colorScheme })
        yield* view.open("/topics/orders")
        yield* view.act((page) => page.locator(".legend").filter({ hasText: /Backlog\s+35/ }).waitFor())
        const texts = yield* view.act((page) =>
          page.evaluate<Array<[string, string, string]>>(colors(".legend span, .legend b"))
        )
        assert.isAtLeast(texts.length, 6)
        for (const [text, color, behind] of texts) {
          assert.isAtLeast(contrastOf(color, behind), 4.5, `${colorScheme}: ${text}`)
        }
      }
    }))

  it.effect("what destroys messages is neither first nor red, figures without data are not 0ns, and the footer is at the end", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create } = yield* startCluster({}, { e2eProcessingLatencyPercentiles: [0.5, 0.99] })
      yield* create("orders", "archive")
      const view = yield* tab(admin.url)
      for (const place of ["/topics/orders", "/topics/orders/archive"]) {
        yield* view.open(place)
        const buttons = view.page.getByRole("group", { name: /^Actions on / }).getByRole("button")
        yield* view.act(() => buttons.first().waitFor())
        assert.match((yield* view.act(() => buttons.allInnerTexts()))[0] ?? "", /^Pause/)
        const looks = yield* view.act((page) =>
          page.evaluate<Array<[string, string, string]>>(colors("[aria-label^='Actions on '] button"))
        )
        assert.lengthOf(new Set(looks.map(([, color, behind]) => `${color} ${behind}`)), 1)
        yield* view.act((page) => page.getByRole("columnheader", { name: "p99" }).first().waitFor())
        assert.notMatch(yield* view.act((page) => page.locator("main").innerText()), /\b0 ?ns\b|100th/)
      }
      for (const place of ["/counter", "/topics/orders"]) {
        yield* view.open(place)
        yield* view.act((page) => page.locator("main h1").waitFor())
        const gap = yield* view.act((page) =>
          page.evaluate<number>(
            "document.documentElement.scrollHeight - document.querySelector('footer').getBoundingClientRect().bottom - scrollY"
          )
        )
        assert.isAtMost(Math.abs(gap), 1, place)
      }
      const themes = view.page.getByRole("banner").getByRole("group", { name: "Theme" })
      assert.strictEqual(yield* view.act(() => themes.getByRole("button").count()), 3)
      yield* view.act(() => themes.getByRole("button", { name: "Dark theme" }).click())
      assert.strictEqual(
        yield* view.act(() => themes.getByRole("button", { name: "Dark theme" }).getAttribute("aria-pressed")),
        "true"
      )
      assert.strictEqual(yield* view.act((page) => page.locator("html").getAttribute("data-theme")), "dark")
    }))

  it.effect("empty lists say what to do next, and the counter compares with nothing", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster({}, { topicDurability: ["orders=written"] })
      yield* create("empty")
      yield* create("orders", "archive")
      yield* first.post("/pub?topic=orders", "x")
      const view = yield* tab(admin.url)
      const pages: ReadonlyArray<readonly [string, string | RegExp]> = [
        ["/topics/empty", "A consumer creates it when it subscribes."],
        [
          "/topics/empty",
          "No connected client has published to this topic over TCP. Publishers over HTTP are not connected."
        ],
        ["/topics/orders/archive", "No consumer is connected: messages wait until one subscribes to this channel."],
        ["/policies", "No nsqd has a policy. Add one with the form below."],
        ["/warnings", "With --alert-webhook=URL nsqadmin also reports when they begin and end."],
        ["/?filter=nothing", "No topic and no channel matches."]
      ]
      for (const [place, text] of pages) {
        yield* view.open(place)
        yield* shows(view, text)
      }
      yield* view.open(`/messages/orders/archive?node=${first.http}&filter=nothing&state=waiting`)
      yield* shows(view, `No such messages on ${first.http}.`)
      yield* view.act((page) => page.getByRole("button", { name: "Show all messages" }).click())
      yield* shows(view, "1 message, 1 searched")
      assert.strictEqual(new URL(view.page.url()).search, `?node=${encodeURIComponent(first.http)}`)

      yield* view.open("/counter")
      yield* shows(view, "messages received by all channels")
      yield* first.post("/pub?topic=orders", "x")
      const digits = view.act((page) => page.locator(".counter .hidden").innerText())
      yield* until(digits, (shown) => shown === "2")
      assert.notMatch(yield* view.act((page) => page.locator("main").innerText()), /more|before|since/)
    }))
})
