import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { FaultyDisk, TestBroker, until, untilIdle } from "../../../../src/testing/index.ts"
import { channelOf, join, type Joined, numbers, quiet, send, topicOf } from "./testing.ts"

type Files = ReadonlyMap<string, Uint8Array>

const brokerOn = (files: Files) => {
  const disk = Layer.effectContext(Effect.map(Layer.build(FaultyDisk.layer), (context) => {
    for (const [path, content] of files) Context.get(context, FaultyDisk).put(path, content)
    return context
  }))
  return TestBroker.layerNoStorage({ memQueueSize: 0 }).pipe(
    Layer.provideMerge(DiskStorage.layer),
    Layer.provideMerge(disk),
    Layer.provide(Options.layer({ dataPath: "/data" })),
    Layer.provide(quiet)
  )
}

/**
 * Runs a broker on these files; returns the disk's content when `use` completes, as a kill at that moment leaves it.
 */
const life = <A>(
  files: Files,
  use: Effect.Effect<A, unknown, Layer.Success<ReturnType<typeof brokerOn>> | Scope.Scope>
): Effect.Effect<{ readonly result: A; readonly files: Files }> =>
  Effect.gen(function*() {
    const result = yield* use
    const disk = yield* FaultyDisk
    const files = disk.files()
    // What the old process does after this has no effect on the copy.
    disk.fail(undefined)
    yield* TestClock.adjust("10 seconds")
    return { result, files }
  }).pipe(Effect.scoped, Effect.provide(brokerOn(files)), Effect.orDie)

/** From now on the data files of a queue cannot be written. */
const block = (queue: string) =>
  FaultyDisk.use((disk) =>
    Effect.sync(() =>
      disk.fail((operation, path) =>
        operation === "write" && path.startsWith(`/data/${queue}.diskqueue.0`) ? "EIO" : undefined
      )
    )
  )

const sorted = (bodies: ReadonlyArray<string>): ReadonlyArray<string> => bodies.toSorted()

const receivedBy = ({ recording }: Joined): ReadonlyArray<string> => sorted(recording.bodies())

/** Messages of a topic with the channels `a` and `b`; `a` has stored them when the daemon is killed, `b` has not. */
const halfHandedOver = (count: number) =>
  Effect.gen(function*() {
    const [a, b] = [yield* channelOf("t", "a"), yield* channelOf("t", "b")]
    yield* block("t:b")
    yield* send("t", ...numbers(count))
    yield* until(() => a.backendDepth + a.inFlightCount === count)
    assert.strictEqual(b.backendDepth, 0)
  })

describe("messages that only some channels have stored when the daemon is killed", () => {
  it.effect("messages that only some channels have stored reach every channel once after a kill", () =>
    Effect.gen(function*() {
      const { files } = yield* life(new Map(), halfHandedOver(30))
      yield* life(
        files,
        Effect.gen(function*() {
          const [a, b] = [yield* join("t", "a", 1000), yield* join("t", "b", 1000)]
          yield* until(() => a.recording.bodies().length >= 30 && b.recording.bodies().length >= 30)
          yield* send("t", "later")
          yield* until(() => [a, b].every(({ recording }) => recording.bodies().includes("later")))
          yield* untilIdle
          const expected = sorted([...numbers(30), "later"])
          assert.deepStrictEqual([receivedBy(a), receivedBy(b)], [expected, expected])
        })
      )
    }))

  it.effect("messages reach every channel once after a second kill during the start", () =>
    Effect.gen(function*() {
      const first = yield* life(new Map(), halfHandedOver(30))
      const second = yield* life(first.files, Effect.andThen(block("t:b"), untilIdle))
      yield* life(
        second.files,
        Effect.gen(function*() {
          const [a, b] = [yield* join("t", "a", 1000), yield* join("t", "b", 1000)]
          yield* until(() => b.recording.bodies().length >= 30)
          yield* untilIdle
          assert.deepStrictEqual([receivedBy(a), receivedBy(b)], [sorted(numbers(30)), sorted(numbers(30))])
        })
      )
    }))

  it.effect("finished messages are not delivered again to their channel", () =>
    Effect.gen(function*() {
      const { files, result } = yield* life(
        new Map(),
        Effect.gen(function*() {
          const a = yield* join("t", "a", 1000)
          yield* halfHandedOver(30)
          yield* until(() => a.recording.bodies().length === 30)
          const finished = a.recording.take().slice(0, 20)
          for (const { id } of finished) a.subscription.finish(messageKey(id))
          yield* TestClock.adjust("1 second")
          return finished.map(({ body }) => body)
        })
      )
      yield* life(
        files,
        Effect.gen(function*() {
          const [a, b] = [yield* join("t", "a", 1000), yield* join("t", "b", 1000)]
          yield* until(() => b.recording.bodies().length >= 30)
          yield* untilIdle
          assert.deepStrictEqual(receivedBy(b), sorted(numbers(30)))
          assert.deepStrictEqual(receivedBy(a), sorted(numbers(30).filter((body) => !result.includes(body))))
        })
      )
    }))

  /** As `halfHandedOver`, with a topic that is paused after the restart. */
  const halfHandedOverThenPaused = Effect.gen(function*() {
    const broker = yield* Broker
    const topic = yield* topicOf("t")
    yield* halfHandedOver(30)
    yield* broker.pauseTopic(topic, true)
  })

  it.effect("messages handed over again reach a channel that is created after the restart", () =>
    Effect.gen(function*() {
      const { files } = yield* life(new Map(), halfHandedOverThenPaused)
      yield* life(
        files,
        Effect.gen(function*() {
          const broker = yield* Broker
          const consumers = yield* Effect.forEach(["a", "b", "c"], (channel) => join("t", channel, 1000))
          yield* broker.pauseTopic(yield* topicOf("t"), false)
          for (const { recording } of consumers) yield* until(() => recording.bodies().length >= 30)
          yield* untilIdle
          const all = sorted(numbers(30))
          assert.deepStrictEqual(consumers.map(receivedBy), [all, all, all])
        })
      )
    }))

  it.effect("messages are delivered again to a channel whose files cannot be synced", () =>
    Effect.gen(function*() {
      const { files } = yield* life(new Map(), halfHandedOverThenPaused)
      yield* life(
        files,
        Effect.gen(function*() {
          const broker = yield* Broker
          const disk = yield* FaultyDisk
          const [a, b] = [yield* join("t", "a", 1000), yield* join("t", "b", 1000)]
          disk.fail((operation, path) =>
            operation === "fsync" && path.startsWith("/data/t:a.diskqueue.000000") ? "EIO" : undefined
          )
          yield* broker.pauseTopic(yield* topicOf("t"), false)
          yield* until(() => b.recording.bodies().length >= 30)
          disk.fail(undefined)
          yield* TestClock.adjust("10 seconds")
          yield* until(() => a.recording.bodies().length >= 60)
          assert.deepStrictEqual(receivedBy(a), sorted([...numbers(30), ...numbers(30)]))
          assert.deepStrictEqual(receivedBy(b), sorted(numbers(30)))
        })
      )
    }))
})
