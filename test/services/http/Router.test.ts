import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as HttpResponse from "../../../src/services/http/HttpResponse.ts"
import * as RequestTarget from "../../../src/services/http/RequestTarget.ts"
import * as Router from "../../../src/services/http/Router.ts"

const nothing = () => Effect.succeed(HttpResponse.empty)

const router = Router.make([
  Router.route("GET", "/ping", nothing),
  Router.route("POST", "/topic/create", nothing),
  Router.route("GET", "/config/:name", nothing),
  Router.route("PUT", "/config/:name", nothing),
  Router.route("GET", "/debug/pprof/", nothing, false)
])

/** Describes the result of a request in one line. */
const find = (method: string, uri: string): string => {
  const found = router(method, RequestTarget.parse(uri))
  if (found._tag === "Endpoint") return `${found.route.path} ${found.parameter}`.trim()
  const { headers, status } = found.response
  const allow = headers.indexOf("Allow")
  const location = headers.indexOf("Location")
  const detail = allow >= 0 ? headers[allow + 1] : location >= 0 ? headers[location + 1] : ""
  return `${status} ${detail}`.trim()
}

describe("routing", () => {
  it("the router finds endpoints by method and path", () => {
    assert.strictEqual(find("GET", "/ping?x=1"), "/ping")
    assert.strictEqual(find("PUT", "/config/log_level"), "/config/:name log_level")
    assert.strictEqual(find("GET", "/debug/pprof/"), "/debug/pprof/")
  })

  it("the response to an unknown path is 404 with any method", () => {
    for (const path of ["/", "/nope", "/topic", "/config/", "/config", "/config/a/b", "/topic/create/x", ""]) {
      for (const method of ["GET", "POST", "OPTIONS", "HEAD"]) assert.strictEqual(find(method, path), "404", path)
    }
  })

  it("the response to an unknown method is 405 with the methods of the path", () => {
    assert.strictEqual(find("POST", "/ping"), "405 GET, OPTIONS")
    assert.strictEqual(find("HEAD", "/ping"), "405 GET, OPTIONS")
    assert.strictEqual(find("GET", "/topic/create"), "405 OPTIONS, POST")
    assert.strictEqual(find("DELETE", "/config/id"), "405 GET, OPTIONS, PUT")
  })

  it("the response to OPTIONS has the methods of the path", () => {
    assert.strictEqual(find("OPTIONS", "/config/id"), "200 GET, OPTIONS, PUT")
    assert.strictEqual(find("OPTIONS", "*"), "200 GET, OPTIONS, POST, PUT")
  })

  it("the router redirects to the canonical path if it has the method", () => {
    assert.strictEqual(find("GET", "/ping/?x=1"), "301 /ping?x=1")
    assert.strictEqual(find("GET", "/PING"), "301 /ping")
    assert.strictEqual(find("GET", "//ping"), "301 /ping")
    assert.strictEqual(find("GET", "/a/../Ping/"), "301 /ping")
    assert.strictEqual(find("GET", "/debug/pprof"), "301 /debug/pprof/")
    assert.strictEqual(find("POST", "/Topic//create/?topic=T"), "307 /topic/create?topic=T")
    assert.strictEqual(find("PUT", "/CONFIG/Log_Level"), "307 /config/Log_Level")
    assert.strictEqual(find("POST", "/ping/"), "404")
  })
})
