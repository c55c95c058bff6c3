import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryDirectory } from "../daemon.ts"
import { Browser } from "./browser.ts"
import { startAdmin, startLookupd, startNsqd } from "./cluster.ts"
import { consume } from "./consumer.ts"

const topicCount = 250
const consumerCount = 120

/** For many topics and consumers, in milliseconds. */
const largeTimeout = 240_000

layer(Browser.layer, { excludeTestServices: true })("nsqadmin's pages of a large cluster", (it) => {
  it.effect(
    "pages render a bounded number of rows, and request what is closed only when it is opened",
    () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const lookupd = yield* startLookupd
        const nsqd = yield* startNsqd([lookupd])
        yield* Effect.forEach(
          Array.from({ length: topicCount }, (_, i) => i),
          (i) => nsqd.post(`/topic/create?topic=topic_${i}`),
          { concurrency: 16 }
        )
        yield* Effect.forEach(
          Array.from({ length: consumerCount }, (_, i) => i),
          () => consume(nsqd.tcp, { topic: "topic_7", channel: "c", ready: 1, does: "finish" }),
          { concurrency: 16 }
        )
        yield* nsqd.post("/mpub?topic=topic_7", Array(30).fill("x").join("\n"))
        const admin = yield* startAdmin({ lookupdHttpAddresses: [lookupd.http] })
        const view = yield* tab(admin.url)
        const { act, page } = view
        const paths: Array<string> = []
        page.on("request", (request) => paths.push(decodeURIComponent(new URL(request.url()).pathname)))

        yield* view.open("/")
        yield* act(() => page.getByText(`${topicCount} of ${topicCount} topics`).waitFor())
        yield* act(() => page.getByRole("link", { name: /^topic_/ }).first().waitFor())
        assert.isAtMost(yield* act(() => page.locator("table.topics tbody tr").count()), 62)

        yield* view.open("/topics/topic_7/c")
        const consumers = page.getByRole("table", { name: "Consumers" }).locator("tbody tr")
        yield* act(() => page.getByText(`100 of ${consumerCount} rows`).waitFor())
        assert.strictEqual(yield* act(() => consumers.count()), 100)
        yield* act(() => page.getByRole("button", { name: "Show 20 more" }).click())
        yield* act(() => consumers.nth(consumerCount - 1).waitFor())

        // The page before requests nothing any more.
        yield* act(() => page.goto("about:blank"))
        paths.length = 0
        yield* view.open(`/nodes/${nsqd.http}`)
        const sections = page.locator("summary", { hasText: "topic_" })
        yield* act(() => page.getByText(`100 of ${topicCount} topics`).waitFor())
        assert.strictEqual(yield* act(() => sections.count()), 100)
        // The filter finds a topic that was not rendered.
        yield* act(() => page.getByLabel("Filter").fill("topic_249"))
        yield* act(() => page.locator("summary", { hasText: "topic_249" }).waitFor())
        assert.strictEqual(yield* act(() => sections.count()), 1)
        assert.deepStrictEqual(paths.filter((path) => path.startsWith("/api/") && path !== "/api/live"), [])
        yield* act(() => page.getByLabel("Filter").fill("topic_7"))
        yield* act(() => page.locator("summary", { hasText: /^topic_7 / }).click())
        yield* act(() => page.getByText(`100 of ${consumerCount} rows`).waitFor())
        assert.include(paths, `/api/nodes/${nsqd.http}/topics/topic_7`)
        assert.notInclude(paths, `/api/nodes/${nsqd.http}`)

        yield* view.open("/nodes")
        yield* act(() => page.locator("summary", { hasText: String(topicCount) }).click())
        yield* act(() => page.getByText(`100 of ${topicCount} topics`).waitFor())
        assert.strictEqual(yield* act(() => page.getByRole("link", { name: /^topic_/ }).count()), 100)

        paths.length = 0
        yield* view.open("/counter")
        yield* act(() => page.getByText("30", { exact: true }).first().waitFor())
        assert.notInclude(paths, "/api/counter")
      }),
    largeTimeout
  )

  it.effect(
    "the page of an nsqd with more topics than have live figures there says how many are listed, and where the others are",
    () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const dataPath = yield* temporaryDirectory
        const topics = Array.from({ length: 2030 }, (_, i) => ({
          name: `topic_${String(i).padStart(4, "0")}`,
          paused: false,
          channels: [{ name: "c", paused: false }]
        }))
        writeFileSync(join(dataPath, "nsqd.dat"), JSON.stringify({ topics, version: "1.3.0" }))
        const nsqd = yield* startNsqd([], { dataPath })
        const admin = yield* startAdmin({ nsqdHttpAddresses: [nsqd.http] })
        const view = yield* tab(admin.url)
        const { act, page } = view
        yield* view.open(`/nodes/${nsqd.http}`)
        yield* act(() =>
          page.getByText("2,000 of the 2,030 topics of this node are listed and searched here").waitFor()
        )
        yield* act(() => page.getByText("100 of 2,000 topics").waitFor())
        // The channels of the first 500 topics have rates, those of the others a hint.
        yield* act(() => page.getByLabel("Filter").fill("topic_0007"))
        yield* act(() => page.locator("summary", { hasText: "topic_0007" }).click())
        yield* act(() => page.getByRole("table", { name: "Channels of topic_0007" }).waitFor())
        assert.strictEqual(yield* act(() => page.getByText("Rates are shown for 500 channels").count()), 0)
        yield* act(() => page.getByLabel("Filter").fill("topic_1999"))
        yield* act(() => page.locator("summary", { hasText: "topic_1999" }).click())
        yield* act(() => page.getByText("Rates are shown for 500 channels of a node").waitFor())
        yield* act(() => page.getByRole("link", { name: "all topics" }).click())
        yield* act(() => page.getByText("2,030 of 2,030 topics").waitFor())
      }),
    largeTimeout
  )
})
