import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Layer, Logger, Queue, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { TopicName } from "../../../src/protocol/client/Names.ts"
import { ClientError, ClientErrorReason } from "../../../src/services/client/ClientError.ts"
import * as Links from "../../../src/services/client/Links.ts"
import { Idle, MemoryTransport, until, untilIdle } from "../../../src/testing/index.ts"
import * as Cluster from "../tools/cluster.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const network = Layer.provideMerge(MemoryTransport.layer, Idle.layer)
const memory = Layer.provideMerge(FetchHttpClient.layer, network)

interface Use {
  readonly address: string
  /** In ms of the TestClock. */
  readonly at: number
  /** Loses the connection. */
  readonly end: Effect.Effect<void>
  readonly progress: Links.Progress
}

/** Keeps links until the Scope closes, each in use until the test ends it. */
const linked = Effect.fnUntraced(function*(servers: Links.LinkSettings["servers"], topic?: TopicName) {
  const uses = yield* Queue.unbounded<Use>()
  const unavailable: Array<string> = []
  const connected = new Set<string>()
  yield* Links.run({
    servers,
    connection: {},
    topic,
    use: Effect.fnUntraced(function*({ address }, progress) {
      yield* Effect.acquireRelease(
        Effect.sync(() => void connected.add(address)),
        () => Effect.sync(() => void connected.delete(address))
      )
      const ended = yield* Queue.unbounded<void>()
      const end = Effect.asVoid(Queue.offer(ended, undefined))
      yield* Queue.offer(uses, { address, end, progress, at: yield* Clock.currentTimeMillis })
      yield* Queue.take(ended)
      return yield* new ClientError({ reason: ClientErrorReason.ConnectionLoss({ address, description: "lost" }) })
    }),
    onUnavailable: (_, { message }) => void unavailable.push(message)
  })
  return { uses, unavailable, connected }
})

/** Lets time pass in steps of 10 ms until `isOver`, for at most 30 s. */
const pass = Effect.fnUntraced(function*(isOver: () => boolean) {
  for (let waited = 0; waited < 30_000 && !isOver(); waited += 10) {
    yield* TestClock.adjust("10 millis")
    yield* untilIdle
  }
  assert.isTrue(isOver())
})

/** Ends a connection; returns the next one and the pause before it in ms. */
const replaced = Effect.fnUntraced(function*(use: Use, uses: Queue.Queue<Use>) {
  const lostAt = yield* Clock.currentTimeMillis
  yield* use.end
  yield* pass(() => Queue.sizeUnsafe(uses) > 0)
  const next = yield* Queue.take(uses)
  return { next, millis: next.at - lostAt }
})

/** An nsqlookupd without `/watch` that names the nsqd in `named`, and the paths of the requests that it received. */
const lookupd = (named: ReadonlySet<string>, paths: Array<string> = []) =>
  Cluster.layer(({ pathname }) => {
    paths.push(pathname)
    if (pathname !== "/lookup") return [404, ""]
    const producers = Array.from(named, (address) => {
      const [broadcast_address, port] = address.split(":")
      return { broadcast_address, tcp_port: Number(port) }
    })
    return { producers }
  })

const byLookup = { lookupd: ["10.0.0.9:4161"], pollInterval: "5 seconds", pollJitter: 0 } as const
const topic = TopicName.make("t")
const responsive = { silent: false }

describe("the links to configured nsqd", () => {
  it.effect("every nsqd gets a connection, and the end of the Scope ends all of them", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", responsive)
      yield* FakeNsqd.make("b:1", responsive)
      const scope = yield* Scope.make()
      const { connected } = yield* Scope.provide(linked({ nsqd: ["a:1", "b:1"] }), scope)
      yield* until(() => connected.size === 2)
      assert.deepStrictEqual([...connected].sort(), ["a:1", "b:1"])
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(connected.size, 0)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a lost connection is replaced after a pause, which doubles with every short connection", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", responsive)
      const { unavailable, uses } = yield* linked({ nsqd: ["a:1"] })
      let use = yield* Queue.take(uses)
      for (const about of [100, 200, 400, 800]) {
        const { millis, next } = yield* replaced(use, uses)
        // The pauses are random by a fifth, so that clients do not return together.
        assert.isAtLeast(millis, about * 0.8)
        assert.isAtMost(millis, about * 1.2 + 10)
        use = next
      }
      assert.deepStrictEqual(unavailable, Array.from({ length: 4 }, () => "a:1: lost"))
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("after a connection of ten seconds the next one follows at once", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", responsive)
      const { uses } = yield* linked({ nsqd: ["a:1"] })
      let use = yield* Queue.take(uses)
      for (let i = 0; i < 4; i++) use = (yield* replaced(use, uses)).next
      yield* TestClock.adjust("10 seconds")
      assert.isAtMost((yield* replaced(use, uses)).millis, 10)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("after a connection whose server did its work the next one follows at once", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", responsive)
      const { uses } = yield* linked({ nsqd: ["a:1"] })
      let use = yield* Queue.take(uses)
      for (let i = 0; i < 9; i++) {
        use.progress.served()
        const { millis, next } = yield* replaced(use, uses)
        assert.isAtMost(millis, 10)
        use = next
      }
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a defect in the use of a connection ends that connection, and the next one follows", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", responsive)
      const unavailable: Array<string> = []
      let uses = 0
      yield* Links.run({
        servers: { nsqd: ["a:1"] },
        connection: {},
        topic: undefined,
        use: () => ++uses === 1 ? Effect.die(new Error("a bug")) : Effect.never,
        onUnavailable: (_, { message }) => void unavailable.push(message)
      })
      yield* pass(() => uses === 2)
      assert.deepStrictEqual(unavailable, ["a:1: a defect ended the connection"])
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(memory, Logger.layer([])))))

  it.effect("an nsqd that cannot be reached is tried again until it listens, and the others are used meanwhile", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", responsive)
      const { connected, unavailable } = yield* linked({ nsqd: ["a:1", "b:1"] })
      yield* pass(() => unavailable.length === 3)
      assert.deepStrictEqual([...connected], ["a:1"])
      assert.match(unavailable[0] ?? "", /^b:1: /)
      yield* FakeNsqd.make("b:1", responsive)
      yield* pass(() => connected.has("b:1"))
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("the links to nsqd that nsqlookupd names", () => {
  it.effect("an nsqd that is named later gets a connection, and one that is named twice gets one", () =>
    Effect.gen(function*() {
      const named = new Set(["10.0.0.1:1"])
      yield* Effect.gen(function*() {
        const [first] = yield* Effect.forEach(
          ["10.0.0.1:1", "10.0.0.2:1"],
          (address) => FakeNsqd.make(address, responsive)
        )
        const { connected } = yield* linked({ ...byLookup, lookupd: ["10.0.0.9:4161", "10.0.0.8:4161"] }, topic)
        yield* until(() => connected.size === 1)
        named.add("10.0.0.2:1")
        yield* pass(() => connected.size === 2)
        assert.lengthOf(first?.commands.filter((command) => command.startsWith("IDENTIFY")) ?? [], 1)
      }).pipe(Effect.provide(lookupd(named)))
    }).pipe(Effect.scoped, Effect.provide(network)))

  it.effect("an nsqd that is not named any more keeps its connection, and gets no other one when that is lost", () =>
    Effect.gen(function*() {
      const named = new Set(["10.0.0.1:1"])
      yield* Effect.gen(function*() {
        yield* FakeNsqd.make("10.0.0.1:1", responsive)
        const { connected, uses } = yield* linked(byLookup, topic)
        const use = yield* Queue.take(uses)
        named.clear()
        yield* TestClock.adjust("5 seconds")
        yield* untilIdle
        assert.strictEqual(connected.size, 1)
        yield* use.end
        yield* TestClock.adjust("1 minute")
        yield* untilIdle
        assert.deepStrictEqual([connected.size, Queue.sizeUnsafe(uses)], [0, 0])
        named.add("10.0.0.1:1")
        yield* pass(() => connected.size === 1)
      }).pipe(Effect.provide(lookupd(named)))
    }).pipe(Effect.scoped, Effect.provide(network)))

  it.effect("a lost connection makes the client query nsqlookupd at once", () =>
    Effect.gen(function*() {
      const named = new Set(["10.0.0.1:1"])
      const paths: Array<string> = []
      const lookups = () => paths.filter((path) => path === "/lookup").length
      yield* Effect.gen(function*() {
        yield* FakeNsqd.make("10.0.0.1:1", responsive)
        const { uses } = yield* linked({ ...byLookup, pollInterval: "1 hour" }, topic)
        const use = yield* Queue.take(uses)
        yield* untilIdle
        const before = lookups()
        yield* use.end
        yield* untilIdle
        assert.strictEqual(lookups(), before + 1)
      }).pipe(Effect.provide(lookupd(named, paths)))
    }).pipe(Effect.scoped, Effect.provide(network)))
})
