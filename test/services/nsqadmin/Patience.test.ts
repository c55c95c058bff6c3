import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { DaemonHttp, RequestTimeout } from "../../../src/services/http/DaemonHttp.ts"
import { HttpError, HttpErrorReason } from "../../../src/services/http/HttpError.ts"
import { IsRead, Patience } from "../../../src/services/nsqadmin/Patience.ts"

const fullSeconds = 5

/** Daemons of which some are frozen: they never reply. */
const world = () => {
  const frozen = new Set<string>()
  const requests: Array<string> = []
  const respond = (method: string, address: string, path: string) =>
    Effect.gen(function*() {
      requests.push(`${method} ${address}${path}`)
      const limit = (yield* RequestTimeout) ?? Duration.seconds(fullSeconds)
      if (!frozen.has(address)) return
      yield* Effect.sleep(limit)
      if (!frozen.has(address)) return
      const reason = HttpErrorReason.Timeout()
      return yield* new HttpError({ address, method, url: `http://${address}${path}`, reason })
    })
  const daemons = Layer.mock(DaemonHttp)({
    get: (schema, address, path) =>
      Effect.andThen(respond("GET", address, path), Effect.orDie(Schema.decodeUnknownEffect(schema)(null))),
    exchange: (schema, method, address, path) =>
      Effect.andThen(respond(method, address, path), Effect.orDie(Schema.decodeUnknownEffect(schema)(null))),
    post: (address, path) => respond("POST", address, path)
  })
  return { frozen, requests, layer: Layer.provide(Patience.layer, daemons) }
}

const read = (address = "a:1") => DaemonHttp.use((daemons) => daemons.get(Schema.Null, address, "/stats"))

/** Runs a request and lets this much time pass: its error, `done`, or undefined if it still waits. */
const after = <A, R>(millis: number, request: Effect.Effect<A, HttpError, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(
      Effect.match(request, { onSuccess: () => "done", onFailure: (error) => error })
    )
    yield* TestClock.adjust(millis)
    const exit = fiber.pollUnsafe()
    return exit === undefined ? yield* Effect.as(Fiber.interrupt(fiber), undefined) : yield* Fiber.join(fiber)
  })

describe("Patience", () => {
  it.effect("reads do not wait for a daemon that has not responded, until it responds in the background", () => {
    const { frozen, layer, requests } = world()
    return Effect.gen(function*() {
      const { isSilent } = yield* Patience
      frozen.add("a:1")
      assert.isUndefined(yield* after(4999, read()), "the first request waits")
      assert.isFalse(isSilent("a:1"))
      assert.instanceOf(yield* after(5000, read()), HttpError)
      assert.isTrue(isSilent("a:1"))
      assert.isFalse(isSilent("b:1"))
      assert.instanceOf(yield* after(100, read()), HttpError)
      assert.strictEqual(yield* after(0, read("b:1")), "done")
      requests.length = 0
      yield* TestClock.adjust("12 seconds")
      assert.deepStrictEqual(
        requests,
        ["GET a:1/ping", "GET a:1/ping"],
        "one request at a time, and a second between them"
      )
      frozen.clear()
      yield* TestClock.adjust("6 seconds")
      assert.isFalse(isSilent("a:1"))
      requests.length = 0
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(requests, [])
      frozen.add("a:1")
      assert.isUndefined(yield* after(4999, read()), "it has as much time as before again")
    }).pipe(Effect.provide(layer))
  })

  it.effect("changes wait for it as long as the options say, and previews of changes do not", () => {
    const { frozen, layer } = world()
    const seek = DaemonHttp.use((daemons) => daemons.exchange(Schema.Null, "POST", "a:1", "/channel/seek"))
    return Effect.gen(function*() {
      frozen.add("a:1")
      yield* after(5000, read())
      assert.isUndefined(yield* after(4999, DaemonHttp.use((daemons) => daemons.post("a:1", "/topic/pause"))))
      assert.isUndefined(yield* after(4999, seek))
      assert.instanceOf(yield* after(100, Effect.provideService(seek, IsRead, true)), HttpError)
    }).pipe(Effect.provide(layer))
  })

  it.effect("the first failure is unexpected, and those after it are not; nor are those of requests with less time", () => {
    const { frozen, layer } = world()
    return Effect.gen(function*() {
      const { isExpected } = yield* Patience
      const isNews = <A>(result: A): boolean => result instanceof HttpError && !isExpected(result)
      frozen.add("a:1")
      const brief = Effect.provideService(read(), RequestTimeout, Duration.millis(500))
      assert.isFalse(isNews(yield* after(500, brief)))
      assert.isTrue(isNews(yield* after(5000, read())))
      assert.isFalse(isNews(yield* after(100, read())))
      assert.isTrue(isNews(yield* after(5000, DaemonHttp.use((daemons) => daemons.post("a:1", "/topic/pause")))))
    }).pipe(Effect.provide(layer))
  })

  it.effect("a daemon that is not requested any more is not requested in the background indefinitely", () => {
    const { frozen, layer, requests } = world()
    return Effect.gen(function*() {
      const { isSilent } = yield* Patience
      frozen.add("a:1")
      yield* after(5000, read())
      yield* TestClock.adjust("11 minutes")
      assert.isFalse(isSilent("a:1"))
      requests.length = 0
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(requests, [])
    }).pipe(Effect.provide(layer))
  })
})
