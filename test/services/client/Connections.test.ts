/** The states of a client's connections as a program sees them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Metric, Redacted, Schedule, Scope, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { ClientError, ClientErrorReason } from "../../../src/services/client/ClientError.ts"
import { Connections, ConnectionState } from "../../../src/services/client/Connections.ts"
import { Consumer, Producer, Topic } from "../../../src/services/client/index.ts"
import { Idle, MemoryTransport, until, untilIdle } from "../../../src/testing/index.ts"
import * as Cluster from "../tools/cluster.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer).pipe(Layer.provideMerge(Idle.layer))
const responsive = { silent: false }
const wrongSecret = { authSecret: Redacted.make("wrong") }

const lost = (address: string) =>
  new ClientError({ reason: ClientErrorReason.ConnectionLoss({ address, description: "lost" }) })
const refused = (address: string) =>
  new ClientError({ reason: ClientErrorReason.HandshakeFailure({ address, description: "no", isPermanent: true }) })

describe("the connections of a client", () => {
  it("a server is pending until its first attempt has failed, and everything is before discovery returns", () => {
    const connections = new Connections()
    assert.isTrue(connections.isPending)
    connections.discovered(["a", "b"])
    connections.set(ConnectionState.Disconnected({ address: "a", error: lost("a") }))
    assert.isTrue(connections.isPending)
    connections.set(ConnectionState.Disconnected({ address: "b", error: lost("b") }))
    assert.isFalse(connections.isPending)
    connections.set(ConnectionState.Connecting({ address: "a" }))
    assert.isFalse(connections.isPending)
    assert.deepStrictEqual(connections.failures.map(({ address }) => address), ["a", "b"])
    connections.set(ConnectionState.Connected({ address: "a" }))
    assert.deepStrictEqual([connections.connected, connections.failures.map(({ address }) => address)], [["a"], ["b"]])
    connections.set(ConnectionState.Removed({ address: "b" }))
    assert.deepStrictEqual(connections.failures, [])
  })

  it.effect("waiting for a connection fails only when every known server refuses permanently", () =>
    Effect.gen(function*() {
      const connections = new Connections()
      const waiting = yield* Effect.forkScoped(Effect.flip(connections.awaitConnected), { startImmediately: true })
      connections.discovered(["a", "b"])
      connections.set(ConnectionState.Disconnected({ address: "a", error: refused("a") }))
      connections.set(ConnectionState.Disconnected({ address: "b", error: lost("b") }))
      assert.isUndefined(waiting.pollUnsafe())
      connections.set(ConnectionState.Disconnected({ address: "b", error: refused("b") }))
      assert.strictEqual((yield* Fiber.join(waiting)).message, "a: no")
      connections.set(ConnectionState.Connected({ address: "b" }))
      yield* connections.awaitConnected
    }).pipe(Effect.scoped))

  it.effect("the Stream begins with the known states, has each change and ends with the client", () =>
    Effect.gen(function*() {
      const connections = new Connections()
      connections.discovered(["a"])
      const collected = yield* Effect.forkScoped(
        Stream.runCollect(Stream.map(connections.changes, ({ _tag, address }) => `${address} ${_tag}`)),
        { startImmediately: true }
      )
      yield* until(() => connections.isWatched)
      // Not a change: discovery has named it.
      connections.set(ConnectionState.Connecting({ address: "a" }))
      connections.set(ConnectionState.Connected({ address: "a" }))
      connections.set(ConnectionState.Disconnected({ address: "a", error: lost("a") }))
      connections.close()
      assert.deepStrictEqual([...(yield* Fiber.join(collected))], ["a Connecting", "a Connected", "a Disconnected"])
      assert.deepStrictEqual([...(yield* Stream.runCollect(connections.changes))].length, 1)
    }).pipe(Effect.scoped))
})

describe("a Producer that an nsqd refuses", () => {
  it.effect("awaitConnected fails at once with the server's reason for a wrong secret", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      nsqd.refuseSecrets("E_UNAUTHORIZED AUTH no authorizations found")
      const producer = yield* Producer.make({ servers: { nsqd: ["a:1"] }, connection: wrongSecret })
      const error = yield* Effect.flip(producer.awaitConnected)
      assert.strictEqual(
        error.message,
        "a:1: Error authenticating - E_UNAUTHORIZED AUTH no authorizations found"
      )
      assert.isTrue(error.isPermanent)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a publish that fails has the reason of each server", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      nsqd.refuseSecrets("E_UNAUTHORIZED AUTH no authorizations found")
      const producer = yield* Producer.make({ servers: { nsqd: ["a:1", "b:1"] }, connection: wrongSecret })
      const publishing = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "x")))
      yield* untilIdle
      yield* TestClock.adjust("30 seconds")
      const { reason } = yield* Fiber.join(publishing)
      assert(reason._tag === "NoServer")
      assert.deepStrictEqual(reason.servers.map(({ address, error }) => [address, error.reason._tag]), [
        ["a:1", "HandshakeFailure"],
        ["b:1", "ConnectFailure"]
      ])
      assert.include(reason.description, "E_UNAUTHORIZED")
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("a Producer that finds nsqd with nsqlookupd", () => {
  const lookup = { lookupd: ["10.0.0.9:4161"], pollInterval: "1 second", pollJitter: 0 } as const
  const network = MemoryTransport.layer.pipe(Layer.provideMerge(Idle.layer))

  it.effect("a publish that fails has the reason why an nsqlookupd names no nsqd", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers: lookup, waitForServer: false })
      const { reason } = yield* Effect.flip(producer.publish("t", "x"))
      assert(reason._tag === "NoServer")
      assert.deepStrictEqual(reason.servers.map(({ address, error }) => [address, error.reason._tag]), [
        ["10.0.0.9:4161", "LookupFailure"]
      ])
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(Cluster.layer(() => [500, "no"]), network))))

  it.effect("an nsqd that is not named any more is removed when its connection has ended", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("10.0.0.1:1", responsive)
      const producers = [{ broadcast_address: "10.0.0.1", tcp_port: 1 }]
      yield* Effect.gen(function*() {
        const producer = yield* Producer.make({ servers: lookup })
        yield* producer.awaitConnected
        const seen: Array<string> = []
        yield* Effect.forkScoped(
          Stream.runForEach(producer.connectionStates, ({ _tag }) => Effect.sync(() => void seen.push(_tag)))
        )
        yield* untilIdle
        producers.splice(0)
        yield* TestClock.adjust("1 second")
        yield* untilIdle
        nsqd.breakOff()
        yield* untilIdle
        assert.deepStrictEqual(seen, ["Connected", "Disconnected", "Removed"])
      }).pipe(Effect.provide(Cluster.layer(() => ({ producers }))))
    }).pipe(Effect.scoped, Effect.provide(network)))
})

describe("the options of a Producer", () => {
  it.effect("an option that is not a Duration is a defect of Producer.make", () =>
    Effect.gen(function*() {
      const servers = { nsqd: ["a:1"] }
      const bad = "soon" as "1 second"
      for (const options of [{ publishTimeout: bad }, { connection: { dialTimeout: bad } }, { silenceLimit: bad }]) {
        const exit = yield* Effect.exit(Producer.make({ servers, ...options }))
        assert.isTrue(Exit.hasDies(exit))
      }
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("a Consumer that an nsqd refuses", () => {
  const options = { topic: Topic.bytes("t"), channel: "c", servers: { nsqd: ["a:1"] } }

  it.effect("awaitConnected fails at once with the server's reason for a wrong secret", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      nsqd.refuseSecrets("E_AUTH_FAILED AUTH failed")
      const consumer = yield* Consumer.make({ ...options, connection: wrongSecret })
      assert.strictEqual(
        (yield* Effect.flip(consumer.awaitConnected)).message,
        "a:1: Error authenticating - E_AUTH_FAILED AUTH failed"
      )
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("awaitConnected waits for the subscription, and fails if nsqd does not permit it", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      nsqd.refuse("E_UNAUTHORIZED AUTH failed for SUB on \"t\" \"c\"")
      const consumer = yield* Consumer.make(options)
      const error = yield* Effect.flip(consumer.awaitConnected)
      assert.strictEqual(error.message, "a:1: E_UNAUTHORIZED AUTH failed for SUB on \"t\" \"c\"")
      // An operator may permit it later.
      nsqd.refuse(undefined)
      yield* TestClock.adjust("1 second")
      yield* untilIdle
      yield* consumer.awaitConnected
      const [state] = yield* Stream.runCollect(Stream.take(consumer.connectionStates, 1))
      assert.deepInclude(state, { _tag: "Connected", address: "a:1" })
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("layerConnected fails if nsqd does not permit the subscription, and otherwise completes with it", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      nsqd.refuse("E_UNAUTHORIZED AUTH failed for SUB on \"t\" \"c\"")
      const build = Effect.scoped(Layer.build(Consumer.layerConnected(options, () => Effect.void)))
      const error = yield* Effect.flip(build)
      assert.strictEqual(error.message, "a:1: E_UNAUTHORIZED AUTH failed for SUB on \"t\" \"c\"")
      nsqd.refuse(undefined)
      yield* build
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("the connections of a Producer", () => {
  it.effect("awaitConnected completes with the first connection", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers: { nsqd: ["a:1"] } })
      const waiting = yield* Effect.forkScoped(producer.awaitConnected)
      yield* untilIdle
      assert.isUndefined(waiting.pollUnsafe())
      yield* FakeNsqd.make("a:1", responsive)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(waiting)
      yield* producer.awaitConnected
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("connectionStates shows the loss of a connection with its reason, and the next connection", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const scope = yield* Scope.make()
      const producer = yield* Scope.provide(Producer.make({ servers: { nsqd: ["a:1"] } }), scope)
      yield* producer.awaitConnected
      const seen = yield* Effect.forkScoped(Stream.runCollect(producer.connectionStates))
      yield* untilIdle
      nsqd.breakOff()
      yield* untilIdle
      yield* TestClock.adjust("1 second")
      yield* producer.awaitConnected
      yield* Scope.close(scope, Exit.void)
      const states = [...(yield* Fiber.join(seen))]
      assert.deepStrictEqual(states.map(({ _tag }) => _tag), ["Connected", "Disconnected", "Connecting", "Connected"])
      const [, second] = states
      assert(second?._tag === "Disconnected")
      assert.strictEqual(second.error.reason._tag, "ConnectionLoss")
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("the metrics of a Producer", () => {
  it.effect("messages by outcome, pending publishes and connections are counted", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const scope = yield* Scope.make()
      const producer = yield* Scope.provide(Producer.make({ servers: { nsqd: ["a:1"] } }), scope)
      const value = (id: string, outcome?: string) =>
        Effect.map(Metric.snapshot, (all) => {
          const found = all.find((metric) =>
            metric.id === id && (outcome === undefined || metric.attributes?.["outcome"] === outcome)
          )
          return found?.type === "Counter" ? Number(found.state.count) : undefined
        })
      yield* producer.publishAll("t", ["a", "b", "c"])
      nsqd.refuse("E_BAD_TOPIC no")
      yield* Effect.flip(producer.publish("t", "x"))
      nsqd.setSilent(true)
      yield* Effect.forkScoped(producer.publish("t", "y"))
      yield* untilIdle
      yield* TestClock.adjust("100 millis")
      yield* untilIdle
      assert.deepStrictEqual(
        [
          yield* value("nsq_producer_messages", "confirmed"),
          yield* value("nsq_producer_messages", "refused"),
          yield* value("nsq_producer_pending"),
          yield* value("nsq_producer_connections")
        ],
        [3, 1, 1, 1]
      )
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(
        [
          yield* value("nsq_producer_messages", "unknown"),
          yield* value("nsq_producer_pending"),
          yield* value("nsq_producer_connections")
        ],
        [1, 0, 0]
      )
    }).pipe(Effect.scoped, Effect.provide(memory), Effect.provideService(Metric.MetricRegistry, new Map())))
})

describe("the retries of a Producer", () => {
  it.effect("a publish that the server could not store is published again as the Schedule says", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const retry = Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 }))
      const producer = yield* Producer.make({ servers: { nsqd: ["a:1"] }, retry })
      nsqd.refuse("E_PUB_FAILED PUB failed no space left on device")
      const first = yield* Effect.forkScoped(producer.publish("t", "x"))
      yield* untilIdle
      nsqd.refuse(undefined)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      assert.deepStrictEqual(nsqd.published, ["x", "x"])
      nsqd.refuse("E_PUB_FAILED PUB failed no space left on device")
      const second = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "y")))
      yield* untilIdle
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(second)).reason._tag, "PublishRefused")
      assert.deepStrictEqual(nsqd.published.slice(2), ["y", "y", "y"])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a refused message is not published again, nor one that may be delivered with resend false", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* Producer.make({
        servers: { nsqd: ["a:1"] },
        resend: false,
        retry: Schedule.spaced("1 second")
      })
      nsqd.refuse("E_BAD_MESSAGE no")
      assert.strictEqual((yield* Effect.flip(producer.publish("t", "x"))).reason._tag, "PublishRefused")
      nsqd.setSilent(true)
      const lost = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "y")))
      yield* until(() => nsqd.published.length === 2)
      nsqd.breakOff()
      assert.strictEqual((yield* Fiber.join(lost)).reason._tag, "UnknownOutcome")
    }).pipe(Effect.scoped, Effect.provide(memory)))
})
