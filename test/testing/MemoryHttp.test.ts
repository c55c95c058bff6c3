import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { DaemonState } from "../../src/services/core/DaemonState.ts"
import { LookupHttp } from "../../src/services/nsqlookupd/LookupHttp.ts"
import * as NsqlookupdOptions from "../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import { Registrations } from "../../src/services/nsqlookupd/Registrations.ts"
import { Idle, MemoryHttp, MemoryTransport, untilIdle } from "../../src/testing/index.ts"
import { quiet } from "../services/nsqd/broker/testing.ts"

const address = "10.0.0.1:4161"
const url = (path: string) => `http://${address}${path}`

/** The HTTP API of an nsqlookupd on the network in memory. */
const world = Layer.mergeAll(LookupHttp.layer, MemoryHttp.layerClient).pipe(
  Layer.provide(MemoryHttp.layerServer),
  Layer.provideMerge(Registrations.layer),
  Layer.provide(DaemonState.layer),
  Layer.provide(NsqlookupdOptions.layer({ httpAddress: address })),
  Layer.provide(quiet),
  Layer.provideMerge(MemoryTransport.layerSeeded(1)),
  Layer.provideMerge(Idle.layer)
)

describe("HTTP over the network in memory", () => {
  it.effect("a client gets the responses of a daemon", () =>
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      const created = yield* client.execute(HttpClientRequest.post(url("/topic/create?topic=t")))
      assert.strictEqual(created.status, 200)
      assert.strictEqual(yield* Effect.flatMap(client.get(url("/topics")), ({ text }) => text), "{\"topics\":[\"t\"]}")
      assert.strictEqual((yield* client.get(url("/lookup?topic=unknown"))).status, 404)
    }).pipe(Effect.provide(world)))

  it.effect("a response arrives while the daemon still writes it", () =>
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      const registrations = yield* Registrations
      const { stream } = yield* client.get(url("/watch?topic=t"))
      const events: Array<string> = []
      yield* stream.pipe(
        Stream.decodeText,
        Stream.runForEach((text) => Effect.sync(() => events.push(text))),
        Effect.forkScoped
      )
      yield* untilIdle
      const before = events.join("")
      registrations.createChannel("t", "c")
      yield* untilIdle
      yield* TestClock.adjust("1 second")
      yield* untilIdle
      assert.notStrictEqual(events.join(""), before)
      assert.include(events.join(""), "\"channels\":[\"c\"]")
    }).pipe(Effect.scoped, Effect.provide(world)))

  it.effect("a request to a machine without a listener fails, and one to a separated machine waits", () =>
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      const { reunite, separate } = yield* MemoryTransport.MemoryNetwork
      const error = yield* Effect.flip(client.get("http://10.0.0.9:1/"))
      assert.include(String(error.cause), "connection refused")
      yield* separate("127.0.0.1", "10.0.0.1")
      const request = yield* Effect.forkChild(client.get(url("/ping")))
      yield* untilIdle
      assert.isUndefined(request.pollUnsafe())
      yield* reunite("127.0.0.1", "10.0.0.1")
      assert.strictEqual((yield* Fiber.join(request)).status, 200)
    }).pipe(Effect.scoped, Effect.provide(world)))
})
