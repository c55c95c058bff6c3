import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Http from "node:http"
import { limitConnecting } from "../../../src/services/http/HttpClients.ts"

describe("HTTP clients", () => {
  it.live("an HTTP client fails a connection that takes longer than its limit", () =>
    Effect.gen(function*() {
      // The name is never resolved, so the connection is never established.
      const agent = new Http.Agent({ lookup: () => {} })
      limitConnecting(agent, 5)
      const error = yield* Effect.callback<Error>((resume) => {
        Http.get("http://nowhere.invalid/", { agent }).on("error", (error) => resume(Effect.succeed(error)))
      })
      assert.strictEqual(error.message, "connect timeout")
    }))
})
