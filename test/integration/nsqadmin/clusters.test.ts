import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Browser } from "./browser.ts"
import { request, startAdmin, startCluster, until } from "./cluster.ts"

layer(Browser.layer, { excludeTestServices: true })("Several clusters in one nsqadmin", (it) => {
  it.effect("the switch in the header shows another cluster with figures and actions of its own", () =>
    Effect.gen(function*() {
      const { tab } = yield* Browser
      const [east, west] = [yield* startCluster(), yield* startCluster()]
      yield* east.create("orders")
      yield* west.create("metrics", "store")
      const { url } = yield* startAdmin({
        lookupdHttpAddresses: east.lookupds.map(({ http }) => http),
        clusters: [`west=${west.lookupds.map(({ http }) => http).join(",")}`],
        clusterNsqds: [`lab=${west.nsqds[0].http}`]
      })
      const view = yield* tab(url)
      yield* view.open("/")
      yield* view.act((page) => page.getByRole("link", { name: "orders", exact: true }).waitFor())
      assert.deepStrictEqual(
        yield* view.act((page) => page.getByLabel("Cluster", { exact: true }).locator("option").allInnerTexts()),
        ["default", "west", "lab"]
      )
      yield* view.act((page) => page.getByLabel("Cluster", { exact: true }).selectOption("west"))
      yield* view.act((page) => page.getByRole("link", { name: "metrics", exact: true }).click())
      yield* view.act((page) => page.waitForURL("**/clusters/west/topics/metrics"))
      yield* view.act((page) => page.getByRole("button", { name: "Pause topic" }).click())
      yield* view.act((page) => page.getByRole("dialog").getByRole("button", { name: "Pause topic" }).click())
      yield* until(west.topicOn(west.nsqds[1], "metrics"), (topic) => topic?.paused === true)
      assert.strictEqual(yield* view.act((page) => page.title()), "metrics – west – nsqadmin")
      // The topic and its messages exist in this cluster only, so the switch leads to the list of the other one.
      yield* view.act((page) => page.getByRole("link", { name: "Browse messages" }).click())
      yield* view.act((page) => page.waitForURL("**/messages/metrics*"))
      yield* view.act((page) => page.getByLabel("Cluster", { exact: true }).selectOption("default"))
      yield* view.act((page) => page.getByRole("link", { name: "orders", exact: true }).waitFor())
      assert.strictEqual(yield* view.act((page) => page.getByRole("link", { name: "metrics" }).count()), 0)
    }))

  it.effect("the API of each cluster is below its path, and that of the default cluster stays where it was", () =>
    Effect.gen(function*() {
      const [east, west] = [yield* startCluster(), yield* startCluster()]
      yield* east.create("orders")
      yield* west.create("metrics")
      const { url } = yield* startAdmin({
        basePath: "/nsq",
        lookupdHttpAddresses: east.lookupds.map(({ http }) => http),
        clusters: [`west=${west.lookupds.map(({ http }) => http).join(",")}`]
      })
      const get = (path: string) => request(`${url}${path}`)
      assert.deepStrictEqual(JSON.parse((yield* get("/nsq/api/topics")).text).topics, ["orders"])
      assert.deepStrictEqual(JSON.parse((yield* get("/nsq/clusters/west/api/topics")).text).topics, ["metrics"])
      assert.strictEqual((yield* get("/nsq/clusters/west/ping")).text, "OK")
      assert.strictEqual((yield* get("/nsq/clusters/west")).status, 200)
      for (const path of ["/nsq/clusters/north/api/topics", "/nsq/clusters/west/nope", "/clusters/west/ping"]) {
        assert.strictEqual((yield* get(path)).status, 404, path)
      }
      const refused = yield* request(`${url}/nsq/clusters/west/api/topics/metrics`, {
        method: "POST",
        headers: { "sec-fetch-site": "cross-site" },
        body: "{\"action\":\"pause\"}"
      })
      assert.strictEqual(refused.status, 403)
    }))
})
