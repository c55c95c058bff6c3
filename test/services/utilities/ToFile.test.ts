import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, Queue } from "effect"
import { FetchHttpClient } from "effect/http"
import * as ToFile from "../../../src/services/utilities/ToFile.ts"
import { TestBroker } from "../../../src/testing/index.ts"
import { fakeServer } from "../http/fakeServer.ts"

const layer = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))

/** The address of an nsqlookupd that never answers. */
const silent = fakeServer(() => {})

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
