import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import { fakeServer } from "../../services/http/fakeServer.ts"
import { Browser } from "./browser.ts"
import { request, startAdmin, startCluster, startNsqd, until } from "./cluster.ts"

const isFailure = (line: string): boolean => / (?:ERROR|WARNING): | 5\d\d GET /.test(line)

const portOf = (address: string): number => Number(address.split(":")[1])

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

  it.effect(
    "neither errors nor failures are logged when the user leaves pages while they load",
    () =>
      Effect.gen(function*() {
        const { tab } = yield* Browser
        const real = yield* startNsqd([])
        yield* real.post("/topic/create?topic=orders")
        yield* real.post("/channel/create?topic=orders&channel=archive")
        yield* real.post("/mpub?topic=orders", Array(200).fill("x").join("\n"))
        // Between the immediate responses of the real nsqd and those of this one, every request is cancelled at another point.
        let count = 0
        const slow = yield* fakeServer(({ url = "" }, response) => {
          const info = { version: "1.3.0", broadcast_address: "127.0.0.1", hostname: "slow", http_port: portOf(slow) }
          const stats = { version: "1.3.0", health: "OK", topics: [{ topic_name: "orders", channels: [] }] }
          const body = url === "/info" ? info : url.startsWith("/stats") ? stats : undefined
          // NSQ's nsqd does not have the other paths.
          response.statusCode = body === undefined ? 404 : 200
          setTimeout(() => response.end(JSON.stringify(body ?? {})), (count++ * 7) % 60)
        })
        const admin = yield* startAdmin({ nsqdHttpAddresses: [real.http, slow] })
        const view = yield* tab(admin.url)
        const places = ["/", "/topics/orders", "/nodes", "/topics/orders/archive", `/nodes/${real.http}`, "/lookup"]
        for (let round = 0; round < 40; round++) {
          const place = places[round % places.length] ?? "/"
          // A page that is left before its document arrives ends the navigation with an error.
          yield* view.act((page) => page.goto(`${admin.url}${place}`, { waitUntil: "commit" }).catch(() => null))
          yield* view.act((page) => page.waitForTimeout((round * 13) % 90))
          if (round % 3 === 0) yield* view.act((page) => page.reload({ waitUntil: "commit" }).catch(() => null))
          if (round % 4 === 0) {
            yield* view.act((page) =>
              page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Nodes" }).click({
                timeout: 500
              })
                .catch(() => undefined)
            )
          }
        }
        yield* view.open("/topics/orders")
        yield* view.act((page) => page.locator("summary", { hasText: "Tail messages" }).click())
        yield* view.act((page) => page.goto("about:blank"))
        yield* request(`${admin.url}/ping`)
        assert.deepStrictEqual(admin.log.filter(isFailure), [])
        assert.deepStrictEqual(admin.log.filter((line) => / 499 /.test(line)), [])
      }),
    480_000
  )

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
