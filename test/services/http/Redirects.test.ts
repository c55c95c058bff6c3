import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { HttpClientRequest, HttpClientResponse } from "effect/http"
import * as Redirects from "../../../src/services/http/Redirects.ts"

const post = HttpClientRequest.post("https://web/in", { headers: { "authorization": "x", "x-key": "y" } }).pipe(
  HttpClientRequest.bodyText("m", "text/plain")
)

/** Returns the request after a redirect in one line: method, URL, headers; `undefined` if it is not followed. */
const next = (rule: Redirects.Rule, status: number, location?: string) => {
  const headers = location === undefined ? {} : { location }
  const response = HttpClientResponse.fromWeb(post, new Response(null, { status, headers }))
  return Result.match(Redirects.next(rule, post, response), {
    onFailure: ({ _tag }) => _tag,
    onSuccess: (request) =>
      request === undefined
        ? undefined
        : [request.method, request.url, ...Object.keys(request.headers).toSorted()].join(" ")
  })
}

describe("redirects of a request", () => {
  it("307 and 308 keep method and body, and 301, 302 and 303 become a GET without one", () => {
    for (const status of [307, 308]) {
      assert.strictEqual(
        next("any host", status, "/a"),
        "POST https://web/a authorization content-length content-type x-key"
      )
    }
    for (const status of [301, 302, 303]) {
      assert.strictEqual(next("any host", status, "/a"), "GET https://web/a authorization x-key")
    }
  })

  it("other statuses, and redirects without a location, are not followed", () => {
    for (const status of [200, 300, 304, 305]) assert.isUndefined(next("any host", status, "/a"))
    for (const location of [undefined, "", "ftp://web/", "http://["]) {
      assert.isUndefined(next("any host", 307, location))
    }
    assert.isUndefined(next("none", 307, "/a"))
  })

  it("another host, and plain HTTP after HTTPS, receive harmless headers only", () => {
    for (const location of ["https://elsewhere/", "http://web/"]) {
      assert.strictEqual(next("any host", 307, location), `POST ${location} content-length content-type`)
    }
  })

  it("a request with a secret fails for another host, plain HTTP after HTTPS, and what is not an HTTP URL", () => {
    for (const location of ["https://elsewhere/", "http://web/", "ftp://web/", "http://["]) {
      assert.strictEqual(next("same host", 307, location), "RedirectRefusal")
    }
    assert.include(next("same host", 307, "https://web:8443/"), "POST https://web:8443/")
    assert.isUndefined(next("same host", 300, "https://elsewhere/"))
  })
})
