import { assert, describe, it } from "@effect/vitest"
import * as Unrouted from "../../../src/services/http/Unrouted.ts"

describe("requests without a route", () => {
  it("an unknown path is a 404 with any method", () => {
    for (const method of ["GET", "OPTIONS", "TRACE"]) {
      assert.deepStrictEqual(Unrouted.decide(method, [], undefined), {
        _tag: "Failure",
        status: 404,
        code: "NOT_FOUND"
      })
    }
  })

  it("a known path without the method is a 405 that lists each of its methods once, and OPTIONS", () => {
    const failure = Unrouted.decide("DELETE", ["PUT", "GET", "PUT"], undefined)
    assert.deepStrictEqual(failure, {
      _tag: "Failure",
      status: 405,
      code: "METHOD_NOT_ALLOWED",
      allow: "GET, OPTIONS, PUT"
    })
    assert.deepStrictEqual(Unrouted.decide("OPTIONS", ["PUT"], undefined), Unrouted.options(["PUT"]))
  })

  it("a path that differs in its spelling is a redirect, before 404 and 405, and permanent only for GET", () => {
    assert.deepStrictEqual(Unrouted.decide("GET", [], "/a"), { _tag: "Redirect", status: 301, path: "/a" })
    assert.deepStrictEqual(Unrouted.decide("POST", ["GET"], "/a"), { _tag: "Redirect", status: 307, path: "/a" })
    assert.deepStrictEqual(["/a", "/a/"].map(Unrouted.toggleSlash), ["/a/", "/a"])
  })
})
