import { assert, describe, it } from "@effect/vitest"
import * as RequestTarget from "../../../src/services/http/RequestTarget.ts"

const query = (search: string): unknown => {
  const { query } = RequestTarget.parse(`/x?${search}`)
  return query === undefined ? undefined : Object.fromEntries(query)
}

describe("a request line", () => {
  it("is cut into path and query", () => {
    const target = RequestTarget.parse("/pub?topic=t&x")
    assert.strictEqual(target.path, "/pub")
    assert.strictEqual(target.search, "?topic=t&x")
    assert.strictEqual(RequestTarget.parse("/ping").search, "")
    assert.strictEqual(RequestTarget.parse("/p%69ng").path, "/ping")
  })

  it("may be in the absolute form", () => {
    assert.strictEqual(RequestTarget.parse("http://host:4151/ping?x=1").path, "/ping")
    assert.strictEqual(RequestTarget.parse("http://host:4151").path, "/")
    assert.strictEqual(RequestTarget.parse("http://host?x=1").path, "/")
  })

  it("has its parameters decoded, the first of each name", () => {
    assert.deepStrictEqual(query("a=1&a=2&b&&c=%23x+y&=z"), { a: "1", b: "", c: "#x y", "": "z" })
    assert.deepStrictEqual(query(""), {})
    assert.deepStrictEqual(query("%61=b=c"), { a: "b=c" })
  })

  it("is invalid with a broken escape or a semicolon", () => {
    for (const search of ["topic=%zz", "x=%4", "%", "topic=t;a=b"]) assert.isUndefined(query(search), search)
  })

  it("is derived from once while it is remembered", () => {
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
