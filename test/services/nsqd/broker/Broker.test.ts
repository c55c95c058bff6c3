import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker, publish, Storage, StorageError, StorageErrorReason } from "../../../../src/broker.ts"
import { ChannelName } from "../../../../src/protocol/client/Names.ts"
import type { NsqdMetadata } from "../../../../src/protocol/storage/NsqdMetadata.ts"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { TestBroker, until, untilIdle } from "../../../../src/testing/index.ts"
import { channelOf, join, numbers, quiet, send, topicOf } from "./testing.ts"

/** Storage in memory that records operations on the metadata and takes a while for them. */
const watchedStorage = Effect.gen(function*() {
  const storage = Context.get(yield* Layer.build(Storage.layerMemory), Storage)
  const saved: Array<NsqdMetadata> = []
  let atOnce = 0
  let mostAtOnce = 0
  const layer = Layer.succeed(Storage, {
    ...storage,
    saveMetadata: (current) =>
      Effect.gen(function*() {
        mostAtOnce = Math.max(mostAtOnce, ++atOnce)
        for (let i = 0; i < 5; i++) yield* Effect.yieldNow
        const metadata = current()
        yield* storage.saveMetadata(() => metadata)
        saved.push(metadata)
        atOnce--
      })
  })
  return { layer, saved, mostAtOnce: () => mostAtOnce, busy: () => atOnce > 0 }
})

/** Starts a broker on storage that outlives it; closing the Scope stops it. */
const startOn = Effect.fnUntraced(function*(
  storage: Layer.Layer<Storage>,
  options: Parameters<typeof TestBroker.layerNoStorage>[0] = {}
) {
  const scope = yield* Scope.make()
  const layer = Layer.fresh(TestBroker.layerNoStorage(options)).pipe(Layer.provide(storage), Layer.provide(quiet))
  return { context: yield* Scope.provide(Layer.build(layer), scope), stop: Scope.close(scope, Exit.void) }
})

const names = (metadata: NsqdMetadata | undefined) =>
  metadata?.topics?.map(({ channels, name, paused }) => ({
    name,
    paused,
    channels: channels?.map((channel) => `${channel.name}${channel.paused ? " paused" : ""}`)
  }))

describe("the metadata", () => {
  it.effect("the metadata is written by one write at a time, and the last one has the last state", () =>
    Effect.gen(function*() {
      const { busy, layer, mostAtOnce, saved } = yield* watchedStorage
      const { context, stop } = yield* startOn(layer)
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        yield* Effect.forEach(numbers(10), (name) => channelOf("t", name), { concurrency: "unbounded" })
        const topic = yield* topicOf("t")
        yield* Effect.forEach(
          [true, false, true, false, true],
          (paused) => broker.pauseTopic(topic, paused),
          { concurrency: "unbounded" }
        )
        yield* Effect.all([broker.deleteChannel("t", "m0"), broker.deleteChannel("t", "m1"), topicOf("u")], {
          concurrency: "unbounded"
        })
        yield* until(() => !busy() && saved.at(-1)?.topics?.length === 2)
        yield* untilIdle
      }).pipe(Effect.provideContext(context))
      assert.strictEqual(mostAtOnce(), 1)
      const expected = [
        { name: "t", paused: true, channels: numbers(10).slice(2) },
        { name: "u", paused: false, channels: [] }
      ]
      assert.deepStrictEqual(names(saved.at(-1)), expected)
      yield* stop
      assert.deepStrictEqual(names(saved.at(-1)), expected)
      assert.strictEqual(mostAtOnce(), 1)
    }))

  it.effect("the metadata has no ephemeral topics and channels", () =>
    Effect.gen(function*() {
      const { layer, saved } = yield* watchedStorage
      const { context, stop } = yield* startOn(layer)
      yield* Effect.gen(function*() {
        yield* channelOf("t", "kept")
        yield* channelOf("t", "gone#ephemeral")
        yield* channelOf("u#ephemeral", "kept")
      }).pipe(Effect.provideContext(context))
      yield* stop
      assert.deepStrictEqual(names(saved.at(-1)), [{ name: "t", paused: false, channels: ["kept"] }])
    }))

  it.effect("metadata that cannot be read is not overwritten", () =>
    Effect.gen(function*() {
      const { layer, saved } = yield* watchedStorage
      const broken = Layer.effect(
        Storage,
        Effect.map(Storage, (storage) => ({
          ...storage,
          loadMetadata: Effect.fail(
            new StorageError({
              reason: StorageErrorReason.InvalidMetadata({ description: "unexpected end of JSON input" })
            })
          )
        }))
      ).pipe(Layer.provide(layer))
      const error = yield* Effect.flip(startOn(broken))
      assert.strictEqual(error.message, "unexpected end of JSON input")
      assert.deepStrictEqual(saved, [])
    }))
})

const noSpace = new StorageError({
  reason: StorageErrorReason.DiskFull({ description: "no space left on device", code: "ENOSPC" })
})

describe("a disk that is full", () => {
  const failing = Effect.gen(function*() {
    const { layer, saved } = yield* watchedStorage
    const storage = Context.get(yield* Layer.build(layer), Storage)
    const state: { error: StorageError | undefined; attempts: number } = { error: undefined, attempts: 0 }
    const faulty = Layer.succeed(Storage, {
      ...storage,
      saveMetadata: (current) =>
        Effect.suspend(() => {
          state.attempts++
          return state.error === undefined ? storage.saveMetadata(current) : Effect.fail(state.error)
        })
    })
    return { state, saved, faulty }
  })

  it.effect("a broker starts on a full disk, and nsqd.dat is written once there is space", () =>
    Effect.gen(function*() {
      const { faulty, saved, state } = yield* failing
      state.error = noSpace
      const { stop } = yield* startOn(faulty)
      yield* TestClock.adjust("10 seconds")
      assert.isAbove(state.attempts, 3)
      assert.deepStrictEqual(saved, [])
      state.error = undefined
      yield* TestClock.adjust("5 seconds")
      yield* until(() => saved.length > 0)
      yield* stop
    }))

  it.effect("a broker does not start if nsqd.dat cannot be written for another reason", () =>
    Effect.gen(function*() {
      const { faulty, state } = yield* failing
      state.error = new StorageError({
        reason: StorageErrorReason.DiskFailure({ description: "permission denied", code: "EACCES" })
      })
      assert.strictEqual((yield* Effect.flip(startOn(faulty))).message, "permission denied")
    }))

  it.effect("the exit status reports that nsqd.dat could not be written while the broker stopped", () =>
    Effect.gen(function*() {
      for (const error of [undefined, noSpace]) {
        const { faulty, state } = yield* failing
        const daemon = DaemonState.make()
        const { stop } = yield* startOn(faulty).pipe(Effect.provideService(DaemonState, daemon))
        state.error = error
        yield* Effect.provideService(stop, DaemonState, daemon)
        assert.strictEqual(daemon.hasLost, error !== undefined)
      }
    }))

  it.effect("the deletion of a topic fails on a full disk, because it may not be durable", () =>
    Effect.gen(function*() {
      const { faulty, saved, state } = yield* failing
      const { context, stop } = yield* startOn(faulty)
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        yield* topicOf("t")
        state.error = noSpace
        assert.strictEqual((yield* Effect.flip(broker.deleteTopic("t"))).message, "no space left on device")
        state.error = undefined
      }).pipe(Effect.provideContext(context))
      yield* stop
      assert.deepStrictEqual(names(saved.at(-1)), [])
    }))
})

describe("a restart", () => {
  it.effect("a restart keeps messages in memory, in flight and deferred, their attempts, and paused topics and channels", () =>
    Effect.gen(function*() {
      const { layer } = yield* watchedStorage
      const first = yield* startOn(layer)
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        const consumer = yield* join("t", "c", 2)
        yield* send("t", "in flight 1", "in flight 2")
        yield* until(() => consumer.channel.inFlightCount === 2)
        yield* send("t", "in memory")
        yield* publish("t", Buffer.from("deferred"), { delay: "1 hour" })
        yield* until(() => consumer.channel.deferredCount === 1 && consumer.channel.depth === 1)
        yield* channelOf("t", "paused")
        const paused = (yield* topicOf("t")).channel("paused")
        if (paused !== undefined) yield* broker.pauseChannel(paused, true)
        yield* broker.pauseTopic(yield* topicOf("t"), true)
        yield* send("t", "at the topic")
      }).pipe(Effect.scoped, Effect.provideContext(first.context))
      yield* first.stop

      const second = yield* startOn(layer)
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        const topic = yield* topicOf("t")
        assert.isTrue(topic.paused)
        assert.isTrue(topic.channel("paused")?.paused)
        assert.strictEqual(topic.depth, 1)
        const { recording } = yield* join("t", "c", 10)
        yield* until(() => recording.bodies().length === 4)
        const attempts = Object.fromEntries(recording.take().map(({ attempts, body }) => [body, attempts]))
        assert.deepStrictEqual(attempts, { "in flight 1": 2, "in flight 2": 2, "in memory": 1, deferred: 1 })
        yield* broker.pauseTopic(topic, false)
        yield* until(() => recording.bodies()[0] === "at the topic")
      }).pipe(Effect.scoped, Effect.provideContext(second.context))
      yield* second.stop
    }))

  it.effect("a stop disconnects consumers before their messages are written", () =>
    Effect.gen(function*() {
      const { layer } = yield* watchedStorage
      const first = yield* startOn(layer)
      const consumer = yield* join("t", "c", 5).pipe(Effect.provideContext(first.context))
      yield* send("t", ...numbers(5)).pipe(Effect.provideContext(first.context))
      yield* until(() => consumer.channel.inFlightCount === 5)
      yield* first.stop
      assert.isTrue(consumer.recording.isClosed())
      const second = yield* startOn(layer)
      const channel = yield* channelOf("t", "c").pipe(Effect.provideContext(second.context))
      assert.strictEqual(channel.depth, 5)
      yield* second.stop
    }))
})

describe("a consumer that is lost", () => {
  it.effect("messages in flight of a lost consumer go to the others at once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const lost = yield* Scope.provide(join("t", "c", 5), scope)
      yield* send("t", ...numbers(5))
      yield* until(() => lost.recording.bodies().length === 5)
      const other = yield* join("t", "c", 5)
      yield* Scope.close(scope, Exit.void)
      yield* until(() => other.recording.bodies().length === 5)
      assert.isTrue(other.recording.take().every(({ attempts }) => attempts === 2))
    }).pipe(Effect.provide(TestBroker.layer().pipe(Layer.provide(quiet)))))

  it.effect("without requeue-on-disconnect messages of a lost consumer wait for their timeout, as in NSQ", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const lost = yield* Scope.provide(join("t", "c", 5, { msgTimeout: 1000 }), scope)
      yield* send("t", ...numbers(5))
      yield* until(() => lost.recording.bodies().length === 5)
      const other = yield* join("t", "c", 5)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(999)
      yield* untilIdle
      assert.strictEqual(other.channel.inFlightCount, 5)
      assert.deepStrictEqual(other.recording.bodies(), [])
      yield* TestClock.adjust(1)
      yield* until(() => other.recording.bodies().length === 5)
      assert.strictEqual(other.channel.timeoutCount, 5)
    }).pipe(Effect.provide(TestBroker.layer({ requeueOnDisconnect: false }).pipe(Layer.provide(quiet)))))
})

describe("the registry", () => {
  it.effect("a topic is opened once for concurrent requests", () =>
    Effect.gen(function*() {
      const topics = yield* Effect.forEach(numbers(20), () => topicOf("t"), { concurrency: "unbounded" })
      assert.strictEqual(new Set(topics).size, 1)
      const channels = yield* Effect.forEach(numbers(20), () => channelOf("t", "c"), { concurrency: "unbounded" })
      assert.strictEqual(new Set(channels).size, 1)
    }).pipe(Effect.provide(TestBroker.layer().pipe(Layer.provide(quiet)))))

  it.effect("errors name the topic or channel that does not exist", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      assert.strictEqual((yield* Effect.flip(broker.deleteTopic("none"))).message, "topic none does not exist")
      yield* topicOf("t")
      const error = yield* Effect.flip(broker.deleteChannel("t", ChannelName.make("none")))
      assert.strictEqual(error.message, "channel t:none does not exist")
    }).pipe(Effect.provide(TestBroker.layer().pipe(Layer.provide(quiet)))))

  it.effect("a topic that is being deleted refuses a publish, and the next publish creates a new one", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      const topic = yield* topicOf("t")
      const consumer = yield* join("t", "c", 10)
      yield* send("t", "a")
      yield* broker.deleteTopic("t")
      assert.isTrue(consumer.recording.isClosed())
      const refused = yield* Effect.flip(
        topic.put({ bytes: Buffer.from([0, 0, 0, 1, 97]), start: 0, gap: 0, count: 1, bodyBytes: 1 }, 0) ?? Effect.void
      )
      assert.strictEqual(refused.message, "exiting")
      yield* send("t", "b")
      const fresh = yield* topicOf("t")
      assert.notStrictEqual(fresh, topic)
      assert.strictEqual(fresh.depth, 1)
    }).pipe(Effect.provide(TestBroker.layer().pipe(Layer.provide(quiet)))))
})
