import { assert, describe, it } from "@effect/vitest"
import * as RequestTarget from "../../../src/services/http/RequestTarget.ts"

const query = (search: string): unknown => {
  const { query } = RequestTarget.parse(`/x?${search}`)
  return query === undefined ? undefined : Object.fromEntries(query)
}

describe("a request line", () => {
  it("a request target is split into path and query", () => {
    const target = RequestTarget.parse("/pub?topic=t&x")
    assert.strictEqual(target.path, "/pub")
    assert.strictEqual(target.search, "?topic=t&x")
    assert.strictEqual(RequestTarget.parse("/ping").search, "")
    assert.strictEqual(RequestTarget.parse("/p%69ng").path, "/ping")
  })

  it("a request target may have the absolute form", () => {
    assert.strictEqual(RequestTarget.parse("http://host:4151/ping?x=1").path, "/ping")
    assert.strictEqual(RequestTarget.parse("http://host:4151").path, "/")
    assert.strictEqual(RequestTarget.parse("http://host?x=1").path, "/")
  })

  it("query parameters are decoded, and the first of each name counts", () => {
    assert.deepStrictEqual(query("a=1&a=2&b&&c=%23x+y&=z"), { a: "1", b: "", c: "#x y", "": "z" })
    assert.deepStrictEqual(query(""), {})
    assert.deepStrictEqual(query("%61=b=c"), { a: "b=c" })
  })

  it("a query with an invalid escape or a semicolon is invalid", () => {
    for (const search of ["topic=%zz", "x=%4", "%", "topic=t;a=b"]) assert.isUndefined(query(search), search)
  })

  it("results of request targets are cached up to limits of number and length", () => {
    let derived = 0
    const look = RequestTarget.cached(() => ++derived)
    assert.strictEqual(look("/a"), look("/a"))
    for (let i = 0; i < 2000; i++) look(`/b?${i}`)
    look("/a")
    assert.strictEqual(derived, 2002)
    const long = `/${"x".repeat(1000)}`
    assert.notStrictEqual(look(long), look(long))
  })
})
