import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Queue } from "effect"
import { FetchHttpClient } from "effect/http"
import { createServer, type Server } from "node:http"
import * as ToFile from "../../../src/services/utilities/ToFile.ts"
import { TestBroker } from "../../../src/testing/index.ts"

const layer = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))

/** The address of an nsqlookupd that never answers. */
const silent = Effect.map(
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createServer(() => {})
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ),
  (server) => {
    const address = server.address()
    return typeof address === "object" ? `127.0.0.1:${address?.port}` : ""
  }
)

describe("nsq_to_file", () => {
  it.live("does not wait for an nsqlookupd longer than its flag says", () =>
    Effect.gen(function*() {
      const address = yield* silent
      const logged = yield* Queue.unbounded<string>()
      const logger = Logger.make(({ message }) => void Queue.offerUnsafe(logged, String(message)))
      const options = {
        ...ToFile.defaults(),
        lookupdHttpAddresses: [address],
        topicPattern: ".",
        httpClientRequestTimeout: Duration.millis(20)
      }
      yield* Effect.forkScoped(Effect.provide(ToFile.main(options), Logger.layer([logger])))
      assert.strictEqual(yield* Queue.take(logged), `error querying nsqlookupd (${address}) - timed out`)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})
