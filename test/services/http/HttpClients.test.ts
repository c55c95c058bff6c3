import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Http from "node:http"
import { limitConnecting } from "../../../src/services/http/HttpClients.ts"

describe("HTTP of the tools", () => {
  it.live("gives up a connection that is not made in time", () =>
    Effect.gen(function*() {
      // The name is never found, so there is never a connection.
      const agent = new Http.Agent({ lookup: () => {} })
      limitConnecting(agent, 5)
      const error = yield* Effect.callback<Error>((resume) => {
        Http.get("http://nowhere.invalid/", { agent }).on("error", (error) => resume(Effect.succeed(error)))
      })
      assert.strictEqual(error.message, "connect timeout")
    }))
})
