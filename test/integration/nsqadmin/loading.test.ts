import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser } from "./browser.ts"
import { startAdmin, startCluster, until } from "./cluster.ts"

const isFailure = (line: string): boolean => / (?:ERROR|WARNING): | 5\d\d GET /.test(line)

layer(Browser.layer, { excludeTestServices: true })("the requests of nsqadmin's pages", (it) => {
  it.effect("a page opens one stream of live figures and sends each request once", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, nsqds } = yield* startCluster()
      yield* create("orders", "archive")
      const view = yield* tab(admin.url)
      const asked: Array<string> = []
      const canceled: Array<string> = []
      view.page.on("request", (request) => asked.push(new URL(request.url()).pathname))
      view.page.on("requestfailed", (request) => canceled.push(request.url()))
      const places = ["/", "/topics/orders", "/topics/orders/archive", "/nodes", `/nodes/${nsqds[0].http}`, "/warnings"]
      for (const place of places) {
        asked.length = 0
        yield* view.open(place)
        yield* view.act((page) => page.getByText("Live", { exact: true }).waitFor())
        const streams = asked.filter((path) => path === "/api/live")
        assert.lengthOf(streams, 1, `${place}: ${asked.join(" ")}`)
        assert.deepStrictEqual(canceled, [], place)
        yield* view.act((page) => page.goto("about:blank"))
        canceled.length = 0
      }
      assert.deepStrictEqual(admin.log.filter(isFailure), [])
    }))

  it.effect("a request that the browser cancels is not logged as an error", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const waiting: Array<ServerResponse> = []
      const frozen = yield* fakeServer((_, response) => void waiting.push(response))
      const admin = yield* startAdmin({ nsqdHttpAddresses: [frozen] })
      const view = yield* tab(admin.url)
      const isSent = view.page.waitForRequest(/api\/topics\/orders$/)
      yield* view.open("/topics/orders")
      yield* Effect.promise(() => isSent)
      // The request of the sampler, and the one of the page.
      yield* until(Effect.sync(() => waiting.length), (count) => count >= 2)
      yield* view.act((page) => page.goto("about:blank"))
      yield* until(Effect.sync(() => waiting.filter(({ closed }) => closed).length), (count) => count >= 1)
      assert.deepStrictEqual(admin.log.filter((line) => line.includes("/api/topics/orders")), [])
      assert.deepStrictEqual(admin.log.filter((line) => line.includes("ClientAbort")), [])
    }))

  it.effect("nsqadmin's polls do not fill the logs of nsqd and nsqlookupd", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const { admin, create, lookupds, nsqds } = yield* startCluster()
      yield* create("orders")
      const view = yield* tab(admin.url)
      yield* view.open("/topics/orders")
      yield* view.act((page) => page.getByRole("heading", { name: "Topic orders" }).waitFor())
      yield* nsqds[0].post("/topic/pause?topic=orders")
      const lines = (place: { readonly log: ReadonlyArray<string> }) =>
        place.log.filter((line) => / 200 GET /.test(line))
      yield* nsqds[0].get("/stats?topic=orders")
      assert.lengthOf(lines(nsqds[0]).filter((line) => line.includes("GET /stats?topic=orders (")), 1)
      assert.deepStrictEqual(lines(nsqds[1]), [])
      assert.deepStrictEqual(lines(lookupds[0]).filter((line) => line.includes("GET /topics")), [])
      assert.isTrue(nsqds[0].log.some((line) => line.includes("200 POST /topic/pause?topic=orders")))
    }))
})
