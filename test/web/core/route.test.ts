import { assert, describe, it } from "@effect/vitest"
import * as Route from "../../../src/web/core/route.ts"

const routes: ReadonlyArray<Route.Route> = [
  Route.topics,
  Route.topic("orders"),
  Route.topic("e#ephemeral"),
  Route.channel("orders", "archive#ephemeral"),
  Route.channel("a", ".."),
  Route.nodes,
  Route.node("127.0.0.1:4151"),
  Route.node("[::1]:4151"),
  Route.client("127.0.0.1:4151", "[::1]:5000"),
  Route.messages("orders"),
  Route.messages("orders", "archive#ephemeral"),
  Route.policies,
  Route.counter,
  Route.lookup,
  Route.warnings,
  Route.daemons
]

describe("route", () => {
  it("the path of a page parses to the same page, with and without a base path", () => {
    for (const basePath of ["", "/nsq", "/queue/admin"]) {
      for (const route of routes) assert.deepStrictEqual(Route.parse(Route.format(route, basePath), basePath), route)
    }
  })

  it("the paths of the pages are NSQ's", () => {
    assert.deepStrictEqual(routes.slice(0, 4).map((route) => Route.format(route, "/nsq")), [
      "/nsq",
      "/nsq/topics/orders",
      "/nsq/topics/e%23ephemeral",
      "/nsq/topics/orders/archive%23ephemeral"
    ])
    assert.strictEqual(Route.format(Route.topics, ""), "/")
    assert.strictEqual(Route.format(Route.node("a:1"), ""), "/nodes/a:1")
    assert.deepStrictEqual(Route.parse("/topics", ""), Route.topics)
    assert.deepStrictEqual(Route.parse("/nsq/nodes/", "/nsq"), Route.nodes)
  })

  it("other paths parse to the unknown page", () => {
    for (
      const path of [
        "/nope",
        "/topics/a/b/c",
        "/nodes/a/b",
        "/nodes/a/b/c",
        "/nodes/a/clients/b/c",
        "/topics/%E0%A4%A",
        "/other/topics"
      ]
    ) {
      assert.deepStrictEqual(Route.parse(path, path.startsWith("/other") ? "/nsq" : ""), { _tag: "Unknown", path })
    }
  })
})
