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
      yield* view.open("/topics/images/requeue")
      yield* view.act((page) =>
        page.getByRole("img", { name: /messages requeued per second in the past hour: .*maximum (?!0;)/ }).waitFor()
      )
    }))

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
