import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as LazyHttpClient from "../../../src/services/http/LazyHttpClient.ts"
import { fakeServer } from "./fakeServer.ts"

describe("LazyHttpClient", () => {
  it("the service is Effect's HttpClient, by its key", () => {
    assert.strictEqual(LazyHttpClient.service.key, HttpClient.HttpClient.key)
  })

  it.live("it is an HttpClient with all operations of Effect's, also those that are changed by functions of its module", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const address = yield* fakeServer(({ headers, method }, response) => {
        seen.push(`${method} ${String(headers["x-name"])}`)
        response.end("done")
      })
      const client = yield* HttpClient.HttpClient
      assert.isTrue(HttpClient.isHttpClient(client))
      const url = `http://${address}/`
      const own = { headers: { "x-name": "own" } }
      for (const method of ["get", "head", "post", "patch", "put", "del", "options"] as const) {
        const response = yield* client[method](url, own)
        assert.strictEqual(response.status, 200, method)
      }
      const named = HttpClient.mapRequest(client, HttpClientRequest.setHeader("x-name", "mapped"))
      const text = yield* Effect.flatMap(named.get(url), (response) => response.text)
      assert.strictEqual(text, "done")
      yield* client.execute(HttpClientRequest.get(url))
      assert.deepStrictEqual(seen, [
        "GET own",
        "HEAD own",
        "POST own",
        "PATCH own",
        "PUT own",
        "DELETE own",
        "OPTIONS own",
        "GET mapped",
        "GET undefined"
      ])
      assert.deepStrictEqual(JSON.parse(JSON.stringify(client)), { _id: "effect/HttpClient" })
      const operations = (each: object): ReadonlyArray<string> =>
        [...Object.keys(each), ...Object.keys(Object.getPrototypeOf(each))].filter((name) => !name.startsWith("to"))
          .sort()
      const theirs = HttpClient.make(() => Effect.never)
      // `trace` is not an operation of its type.
      assert.deepStrictEqual(operations(theirs).filter((name) => !(name in client)), ["trace"])
    }).pipe(Effect.scoped, Effect.provide(LazyHttpClient.layer(Duration.seconds(10)))))
})
