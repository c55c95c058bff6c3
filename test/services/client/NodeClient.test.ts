import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { IncomingHttpHeaders } from "node:http"
import * as Discovery from "../../../src/services/client/Discovery.ts"
import * as NodeClient from "../../../src/services/client/NodeClient.ts"
import { fakeServer } from "../http/fakeServer.ts"

describe("what a client needs on Node", () => {
  it.live("its HTTP client queries an nsqlookupd, which sees nothing of the program's traces", () =>
    Effect.gen(function*() {
      const seen: Array<IncomingHttpHeaders> = []
      const address = yield* fakeServer(({ headers }, response) => {
        seen.push(headers)
        response.end(JSON.stringify({ channels: [], producers: [{ broadcast_address: "10.0.0.1", tcp_port: 4150 }] }))
      })
      const found = yield* Discovery.lookup(address, "orders").pipe(
        Effect.withSpan("program"),
        Effect.provide(NodeClient.layer)
      )
      assert.deepStrictEqual(found, ["10.0.0.1:4150"])
      assert.strictEqual(seen.length, 1)
      assert.notProperty(seen[0], "traceparent")
      assert.notProperty(seen[0], "b3")
    }))
})
