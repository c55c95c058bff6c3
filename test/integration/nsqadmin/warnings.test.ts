import { assert, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { Alert } from "../../../src/protocol/http/admin/AdminAlerts.ts"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser, type Tab } from "./browser.ts"
import { startCluster, until } from "./cluster.ts"
import { consume } from "./consumer.ts"

const bodies = (count: number) => Array(count).fill("x").join("\n")

const warning = (tab: Tab, name: string) => tab.page.getByRole("listitem").filter({ hasText: name }).first()

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's warnings", (it) => {
  it.effect("channels that are stuck although consumers are connected cause warnings that say why and since when", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds: [first] } = yield* startCluster({ warnPeriod: Duration.seconds(1), warnDepth: 10 })
      yield* create("images", "resize", "requeue", "idle")
      const identity = { client_id: "resizer-7", msg_timeout: 1000 }
      yield* consume(first.tcp, { topic: "images", channel: "resize", ready: 5, does: "hold", identity })
      yield* consume(first.tcp, { topic: "images", channel: "requeue", ready: 1, does: "requeue" })
      yield* consume(first.tcp, { topic: "images", channel: "idle", ready: 0, does: "finish" })
      const publish = Effect.andThen(first.post("/mpub?topic=images", bodies(20)), Effect.sleep("100 millis"))
      yield* Effect.forkScoped(Effect.forever(publish))

      const view = yield* tab(admin.url)
      yield* view.open("/warnings")
      const stuck = warning(view, "makes no progress")
      yield* view.act(() => stuck.waitFor())
      assert.match(
        yield* view.act(() => stuck.innerText()),
        /Stuck[^]*images \/ resize[^]*[\d,]+ messages wait, growing [\d.]+\/s, \d+ timeouts? and nothing finished in \d+ s, since \d\d:\d\d; resizer-7 holds \d+ in flight, \d+ timeouts?, 0 finished\./
      )
      const requeued = warning(view, "requeues more than it finishes")
      yield* view.act(() => requeued.getByRole("link", { name: "images / requeue" }).waitFor())
      const idle = warning(view, "has RDY 0")
      yield* view.act(() => idle.getByRole("link", { name: "images / idle" }).waitFor())
      // One click leads to the channel, which has the same sentence, its nsqds and its consumers.
      yield* view.act(() => stuck.getByRole("link", { name: "images / resize" }).click())
      yield* view.act((page) => page.getByRole("heading", { level: 1, name: "Channel resize" }).waitFor())
      yield* view.act(() => warning(view, "makes no progress").waitFor())
      yield* view.act((page) => page.getByRole("row").filter({ hasText: "resizer-7" }).waitFor())
      // The charts and the tables have the rates of requeues and timeouts.
      yield* view.act((page) =>
        page.getByRole("img", { name: /messages timed out per second in the past hour: .*maximum (?!0$)/ }).waitFor()
      )
      // The list of topics names the worst.
      yield* view.open("/")
      const images = view.page.getByRole("row").filter({ has: view.page.getByRole("link", { name: "images" }) })
      yield* view.act(() => images.getByText("Stuck", { exact: true }).waitFor())
      yield* view.open("/topics/images/requeue")
      yield* view.act((page) =>
        page.getByRole("img", { name: /messages requeued per second in the past hour: .*maximum (?!0;)/ }).waitFor()
      )
    }))

  it.effect(
    "growing, deferred, old and unevenly delivered messages, full disks and memories cause warnings, those about most messages first",
    () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const { admin, create, nsqds: [first, second] } = yield* startCluster({
          warnPeriod: Duration.seconds(1),
          warnDepth: 10,
          warnOldest: Duration.seconds(1),
          warnDiskPercent: 1,
          warnMemoryPercent: 1
        })
        yield* create("images", "resize")
        yield* create("old", "archive")
        yield* create("few", "waiting")
        yield* create("uneven", "work")
        yield* consume(second.tcp, { topic: "old", channel: "archive", ready: 1, does: "hold" })
        yield* consume(first.tcp, { topic: "images", channel: "resize", ready: 1, does: "hold" })
        yield* consume(first.tcp, { topic: "uneven", channel: "work", ready: 1, does: "hold" })
        yield* consume(first.tcp, { topic: "uneven", channel: "work", ready: 1, does: "requeue" })
        yield* second.post("/mpub?topic=old", bodies(2))
        yield* first.post("/mpub?topic=uneven", bodies(20))
        const publish = Effect.gen(function*() {
          yield* first.post("/mpub?topic=images", bodies(100))
          yield* first.post("/mpub?topic=few", bodies(2))
          for (let i = 0; i < 5; i++) yield* first.post("/pub?topic=images&defer=600000", "later")
          yield* Effect.sleep("100 millis")
        })
        yield* Effect.forkScoped(Effect.forever(publish))
        const view = yield* tab(admin.url)
        yield* view.open("/warnings")
        const shows = (text: RegExp) =>
          view.act((page) => page.getByRole("listitem").filter({ hasText: text }).first().waitFor())
        yield* shows(
          /Growing[^]*Channel resize of topic images grows although 1 consumer is connected: [\d,]+ messages wait, growing [\d.,]+\/s/
        )
        yield* shows(
          /Deferred[^]*Channel resize of topic images defers more and more messages: [\d,]+, growing [\d.,]+\/s/
        )
        yield* shows(
          /Old messages[^]*The oldest message of channel archive of topic old is at least \d+ seconds? old: 1 message waits/
        )
        yield* shows(
          /Uneven delivery[^]*Consumers of channel work of topic uneven receive very different numbers of messages on /
        )
        yield* shows(/Disk[^]*The disk of nsqd .* is \d+ % full: /)
        yield* shows(/Memory[^]*nsqd .* uses \d+ % of its heap limit|Memory[^]*The machine of nsqd .* memory left/)
        // Both began together, and the channel with most messages is first.
        yield* first.post("/channel/create?topic=few&channel=other")
        yield* first.post("/channel/create?topic=images&channel=other")
        const subjects = view.act((page) =>
          page.getByRole("listitem").filter({ hasText: "No consumers" }).locator(".subject").allInnerTexts()
        )
        yield* until(subjects, (names) => names.length >= 3)
        assert.strictEqual((yield* subjects)[0], "images / other")
      }),
    60_000
  )

  it.effect("a muted warning is neither counted nor shown among the others, for all users, until it is unmuted", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, nsqds: [first] } = yield* startCluster()
      yield* first.post("/topic/create?topic=lonely")
      const [view, other] = [yield* tab(admin.url), yield* tab(admin.url)]
      yield* view.open("/warnings")
      yield* other.open("/topics/lonely")
      yield* other.act(() => warning(other, "Topic lonely has no channels").waitFor())
      yield* view.act((page) => page.getByRole("link", { name: "Warnings 1" }).waitFor())
      yield* view.act((page) => page.getByLabel("Mute No channels lonely").selectOption({ label: "for 4 hours" }))
      yield* view.act((page) => page.getByText("No warnings that are not muted.").waitFor())
      yield* view.act((page) => page.getByRole("link", { name: "Warnings", exact: true }).waitFor())
      yield* other.act(() => warning(other, "Topic lonely has no channels").waitFor({ state: "detached" }))
      yield* view.act((page) => page.locator("summary", { hasText: "Muted: 1 warning" }).click())
      yield* view.act(() => warning(view, "muted until").waitFor())
      yield* view.act((page) => page.getByRole("button", { name: "Unmute No channels lonely" }).click())
      yield* view.act((page) => page.getByRole("link", { name: "Warnings 1" }).waitFor())
    }))

  it.effect("an administrator tests the webhooks of alerts, which report what begins and ends", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const received: Array<typeof Alert.Encoded> = []
      let status = 500
      const pager = yield* fakeServer((request, response) => {
        request.setEncoding("utf8").on("data", (body: string) => received.push(JSON.parse(body)))
        request.on("end", () => response.writeHead(status).end())
      })
      const { admin, nsqds: [first, second] } = yield* startCluster({ alertWebhooks: [`http://${pager}/s3cret`] })
      const view = yield* tab(admin.url)
      yield* view.open("/warnings")
      const test = view.act((page) => page.getByRole("button", { name: "Send a test alert" }).click())
      yield* test
      yield* view.act((page) => page.getByText(`WEBHOOK_FAILED: http://${pager}/***: got response 500`).waitFor())
      status = 200
      yield* test
      yield* view.act((page) => page.getByText("A test alert has been sent.").waitFor())
      assert.deepStrictEqual(received.map(({ event }) => event), ["test", "test"])
      const events = Effect.sync(() => received.slice(2).map(({ event, id }) => `${event} ${id}`))
      for (const nsqd of [first, second]) yield* nsqd.post("/topic/create?topic=lonely")
      yield* until(events, ([event]) => event === "raised topic_without_channels lonely")
      for (const nsqd of [first, second]) yield* nsqd.post("/channel/create?topic=lonely&channel=c")
      yield* until(events, (all) => all.includes("cleared topic_without_channels lonely"))
      assert.notInclude(yield* view.act((page) => page.content()), "s3cret")
    }))
})
