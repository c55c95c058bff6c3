import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { consume } from "../../../../../src/broker.ts"
import type { Command } from "../../../../../src/protocol/client/Command.ts"
import { TopicName } from "../../../../../src/protocol/client/Names.ts"
import { type ProtocolError, protocolError } from "../../../../../src/protocol/client/ProtocolError.ts"
import { Publishes } from "../../../../../src/services/nsqd/session/connection/Publishes.ts"
import * as DiskStorage from "../../../../../src/services/nsqd/storage/DiskStorage.ts"
import {
  FaultyDisk,
  FaultyStorage,
  ProtocolClient,
  TestBroker,
  until,
  untilIdle
} from "../../../../../src/testing/index.ts"
import { faultyBroker, quiet, topicOf } from "../../broker/testing.ts"

/** A broker with durable topics on a disk in memory. */
const durableBroker = TestBroker.layerNoStorage({ durability: "synced", dataPath: "/data" }).pipe(
  Layer.provide(DiskStorage.layer),
  Layer.provide(FaultyDisk.layer),
  Layer.provide(quiet)
)

const refusal = protocolError("E_PUB_FAILED", "PUB failed")

/** The publishes of a connection that records its responses. */
const recorded = Effect.gen(function*() {
  const events: Array<string> = []
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const publishes = new Publishes()
  publishes.attach({
    start: (work) => void fork(work),
    responded: (isLast) => events.push(isLast ? "send" : "send later"),
    refused: (error) => Effect.sync(() => void events.push(error.message))
  })
  /** Adds a publish, and returns its end. */
  const add = (name: string, bytes = 1) => {
    const stored = Deferred.makeUnsafe<void, ProtocolError>()
    publishes.add(bytes, Deferred.await(stored), () => void events.push(name))
    return stored
  }
  return { publishes, events, add }
})

describe("the publishes of a connection", () => {
  it.effect("the responses have the order of the publishes, whichever is stored first", () =>
    Effect.gen(function*() {
      const { add, events, publishes } = yield* recorded
      const [first, second, third] = [add("first"), add("second"), add("third")]
      yield* Deferred.succeed(second, undefined)
      assert.deepStrictEqual(events, [])
      yield* Deferred.succeed(first, undefined)
      assert.deepStrictEqual(events, ["first", "second", "send later"])
      assert.isFalse(publishes.isIdle)
      yield* Deferred.succeed(third, undefined)
      assert.deepStrictEqual(events, ["first", "second", "send later", "third", "send"])
      assert.isTrue(publishes.isIdle)
    }))

  it.effect("a refused publish follows the responses before it, and nothing follows it", () =>
    Effect.gen(function*() {
      const { add, events, publishes } = yield* recorded
      const [first, second, third] = [add("first"), add("second"), add("third")]
      yield* Deferred.fail(second, refusal)
      yield* Deferred.succeed(third, undefined)
      yield* Deferred.succeed(first, undefined)
      assert.deepStrictEqual(events, ["first", "second", refusal.message])
      assert.isTrue(publishes.isIdle)
    }))

  it.effect("the connection waits for room while many bytes wait, and for the end of all publishes on request", () =>
    Effect.gen(function*() {
      const { add, publishes } = yield* recorded
      yield* publishes.hasRoom
      yield* publishes.settled
      const large = add("large", 256 * 1024 - 1)
      assert.isFalse(publishes.isFull)
      const small = add("small", 1)
      assert.isTrue(publishes.isFull)
      const room = yield* Effect.forkChild(publishes.hasRoom, { startImmediately: true })
      assert.isUndefined(room.pollUnsafe())
      yield* Deferred.succeed(large, undefined)
      yield* Fiber.join(room)
      const settled = yield* Effect.forkChild(publishes.settled, { startImmediately: true })
      assert.isUndefined(settled.pollUnsafe())
      yield* Deferred.succeed(small, undefined)
      yield* Fiber.join(settled)
    }))

  it.effect("nothing more is read while a publish without a place in the order waits", () =>
    Effect.gen(function*() {
      const { add, publishes } = yield* recorded
      const exclusive = add("exclusive", Infinity)
      assert.isTrue(publishes.isFull)
      yield* Deferred.succeed(exclusive, undefined)
      yield* publishes.hasRoom
      assert.isTrue(publishes.isIdle)
    }))

  it.effect("after the end of the connection no publish has a response", () =>
    Effect.gen(function*() {
      const { add, events, publishes } = yield* recorded
      const first = add("first")
      publishes.attach(undefined)
      yield* Deferred.succeed(first, undefined)
      assert.deepStrictEqual(events, [])
    }))
})

describe("a client that does not wait for its responses", () => {
  const topic = TopicName.make("t")
  const body = Buffer.from("m")
  const pub: Command = { _tag: "PUB", topic, body }
  const mpub: Command = { _tag: "MPUB", topic, bodies: [body, body] }
  const dpub: Command = { _tag: "DPUB", topic, deferMillis: 1000, body }
  const connect = ProtocolClient.connect(TestBroker.address)

  /** A client that has sent an MPUB and a PUB, while storage holds writes. */
  const heldPublishes = Effect.gen(function*() {
    const faults = yield* FaultyStorage.StorageFaults
    yield* topicOf(topic)
    const client = yield* connect
    yield* untilIdle
    yield* faults.holdWrites
    const { writes } = faults.counts()
    yield* client.send(mpub)
    yield* client.send(pub)
    return { client, faults, writes }
  })

  it.effect("what follows a publish without a place in the order waits for it, and so does every other command", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const found = yield* topicOf(topic)
      const client = yield* connect
      yield* untilIdle
      yield* faults.holdWrites
      const { writes } = faults.counts()
      yield* client.send(mpub)
      yield* client.send(pub, dpub, mpub)
      yield* client.raw("UNKNOWN t\n")
      yield* client.send(pub)
      yield* until(() => faults.counts().writes === writes + 1)
      yield* untilIdle
      assert.strictEqual(faults.counts().writes, writes + 1)
      yield* faults.resumeWrites
      for (let i = 0; i < 4; i++) assert.strictEqual(yield* client.text, "OK")
      assert.strictEqual(yield* client.text, "E_INVALID invalid command UNKNOWN")
      assert.isUndefined(yield* client.text)
      assert.strictEqual(found.messageCount, 6)
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))

  it.effect("it gets the responses of its last publishes after it has ended its side of the connection", () =>
    Effect.gen(function*() {
      const { client, faults, writes } = yield* heldPublishes
      client.peer.end()
      yield* until(() => faults.counts().writes === writes + 1)
      yield* faults.resumeWrites
      assert.deepStrictEqual([yield* client.text, yield* client.text, yield* client.text], ["OK", "OK", undefined])
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))

  it.effect("it is disconnected after the first publish that is refused", () =>
    Effect.gen(function*() {
      const { client, faults, writes } = yield* heldPublishes
      yield* until(() => faults.counts().writes === writes + 1)
      yield* faults.failWrites("disk full")
      yield* faults.resumeWrites
      assert.strictEqual(yield* client.text, "E_MPUB_FAILED MPUB failed disk full")
      assert.isUndefined(yield* client.text)
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))

  it.effect("its publishes to a durable topic keep their order while the first one creates the topic", () =>
    Effect.gen(function*() {
      const client = yield* connect
      const bodies = Array.from({ length: 400 }, (_, i) => `m${i}`)
      // The turns between them let some arrive while the topic is created, and some just after it was.
      for (const each of bodies) {
        yield* client.send({ _tag: "PUB", topic, body: Buffer.from(each) })
        yield* Effect.yieldNow
      }
      for (const _ of bodies) assert.strictEqual(yield* client.text, "OK")
      const received = yield* consume(topic, "c", { maxInFlight: 400 }).pipe(
        Stream.take(bodies.length),
        Stream.mapEffect((delivery) => Effect.as(delivery.finish, Buffer.from(delivery.body).toString())),
        Stream.runCollect
      )
      assert.deepStrictEqual(Array.from(received), bodies)
    }).pipe(Effect.provide(durableBroker)))
})
