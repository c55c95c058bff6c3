import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue } from "effect"
import { FetchHttpClient, HttpClient, HttpClientResponse } from "effect/http"
import { Producer } from "../../../src/services/client/index.ts"
import * as ToHttp from "../../../src/services/tools/ToHttp.ts"
import { TestBroker } from "../../../src/testing/index.ts"

const layer = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))

const options: ToHttp.ToHttpOptions = {
  ...ToHttp.defaults(),
  topic: "t",
  nsqdTcpAddresses: [TestBroker.address],
  post: ["http://a/", "http://b/"]
}

const publish = (...bodies: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(
    Producer.make({ servers: { nsqd: [TestBroker.address] } }),
    (producer) => producer.publishAll("t", bodies)
  ))

/** Runs with these options and returns the hosts of the first requests. */
const hosts = Effect.fnUntraced(function*(flags: Partial<ToHttp.ToHttpOptions>, requests: number) {
  const seen = yield* Queue.unbounded<string>()
  const client = HttpClient.make((request, url) =>
    Effect.as(
      Queue.offer(seen, url.hostname),
      HttpClientResponse.fromWeb(request, new Response(null, { status: 200 }))
    )
  )
  const running = yield* Effect.forkScoped(
    Effect.provideService(ToHttp.forward({ ...options, ...flags }), HttpClient.HttpClient, client)
  )
  const taken = yield* Queue.takeN(seen, requests)
  yield* Fiber.interrupt(running)
  return [...taken].join("")
})

describe("nsq_to_http", () => {
  it.effect("nsq_to_http sends each message to one address, or to all addresses in an unknown mode", () =>
    Effect.gen(function*() {
      yield* publish("1", "2", "3", "4")
      assert.strictEqual(yield* hosts({ mode: "round-robin", concurrency: 1 }, 4), "baba")
      yield* publish("5", "6")
      assert.strictEqual(yield* hosts({ mode: "all", concurrency: 1 }, 4), "abab")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("nsq_to_http refuses invalid options", () =>
    Effect.gen(function*() {
      const refusal = (changed: Partial<ToHttp.ToHttpOptions>) =>
        Effect.map(Effect.flip(ToHttp.forward({ ...options, ...changed })), ({ message }) => message)
      assert.strictEqual(yield* refusal({ headers: ["x"] }), "--header value format should be 'key=value'")
      assert.strictEqual(yield* refusal({ channel: "" }), "--topic and --channel are required")
      assert.strictEqual(yield* refusal({ contentType: "" }), "--content-type requires a value when used")
      assert.strictEqual(yield* refusal({ post: [] }), "--get or --post required")
      assert.strictEqual(
        yield* refusal({ post: [], get: ["http://a/"] }),
        "invalid GET address - must be a printf string"
      )
      assert.strictEqual(yield* refusal({ sample: NaN }), "ERROR: --sample must be between 0.0 and 1.0")
      assert.strictEqual(yield* refusal({ post: ["a:1"] }), "invalid address - \"a:1\" is not an http or https URL")
      assert.strictEqual(yield* refusal({ channel: "a b" }), "invalid channel name")
    }).pipe(Effect.scoped, Effect.provide(layer)))
})
