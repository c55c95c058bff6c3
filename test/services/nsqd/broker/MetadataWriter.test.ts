import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"
import { Storage, type Topic } from "../../../../src/broker.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import type { NsqdMetadata } from "../../../../src/protocol/storage/NsqdMetadata.ts"
import { version } from "../../../../src/services/core/Version.ts"
import * as MetadataWriter from "../../../../src/services/nsqd/broker/MetadataWriter.ts"
import { FaultyStorage, Idle, untilIdle } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, topicOf } from "./testing.ts"

const t = TopicName.make("t")

/** Storage whose writes the test fails and holds, a broker for topics, and the log. */
const world = (log: Array<string> = []) =>
  Layer.mergeAll(brokerWith(), FaultyStorage.layer).pipe(
    Layer.provideMerge(Logger.layer([Logger.make(({ message }) => void log.push(String(message)))])),
    Layer.provideMerge(Idle.layer)
  )

/** A writer of these topics, and what it saves and records, in order. */
const writing = Effect.fnUntraced(function*(topics: ReadonlyArray<Topic> = []) {
  const storage = yield* Storage
  const done: Array<string> = []
  const saved: Array<NsqdMetadata> = []
  const writer = MetadataWriter.make({
    ...storage,
    saveMetadata: (current) =>
      Effect.andThen(
        storage.saveMetadata(current),
        Effect.sync(() => {
          saved.push(current())
          done.push("saved")
        })
      ),
    recordCreation: (queue, register) =>
      Effect.suspend(() => {
        done.push(`recorded ${queue}`)
        return storage.recordCreation(queue, register)
      })
  }, () => topics)
  const register = (name: string) => Effect.sync(() => void done.push(`registered ${name}`))
  return { writer, done, saved, register }
})

describe("the metadata of a broker", () => {
  it.effect("the metadata contains topics and channels with their pauses, without ephemeral ones", () =>
    Effect.gen(function*() {
      const [paused, other, ephemeral] = yield* Effect.all([topicOf("t"), topicOf("u"), topicOf("e#ephemeral")])
      yield* channelOf("t", "c")
      yield* channelOf("t", "e#ephemeral")
      paused.pause()
      const { saved, writer } = yield* writing([paused, other, ephemeral])
      yield* writer.persist
      assert.deepStrictEqual(saved, [{
        topics: [
          { name: "t", paused: true, channels: [{ name: "c", paused: false }] },
          { name: "u", paused: false, channels: [] }
        ],
        version
      }])
    }).pipe(Effect.provide(world())))

  it.effect("nothing is recorded before the start, because the topics come from the metadata", () =>
    Effect.gen(function*() {
      const { done, register, writer } = yield* writing()
      yield* writer.create([t], register("t"))
      writer.noteChange("t")
      assert.isFalse(writer.isStarted())
      yield* writer.start
      yield* untilIdle
      assert.deepStrictEqual(done, ["registered t"])
      assert.isTrue(writer.isStarted())
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("a creation is recorded before it is registered, and the metadata follows", () =>
    Effect.gen(function*() {
      const { done, register, writer } = yield* writing()
      yield* writer.start
      yield* writer.create([t, ChannelName.make("c")], register("c"))
      assert.deepStrictEqual(done, ["recorded t:c", "registered c"])
      yield* untilIdle
      assert.deepStrictEqual(done, ["recorded t:c", "registered c", "saved"])
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("ephemeral topics and channels cause no write", () =>
    Effect.gen(function*() {
      const { done, register, writer } = yield* writing()
      yield* writer.start
      yield* writer.create([TopicName.make("e#ephemeral")], register("e"))
      yield* writer.create([t, ChannelName.make("e#ephemeral")], register("t:e"))
      writer.noteChange("e#ephemeral")
      yield* untilIdle
      assert.deepStrictEqual(done, ["registered e", "registered t:e"])
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("changes of the same moment share one write, and calls during a write share the next one", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const { saved, writer } = yield* writing()
      yield* writer.start
      yield* faults.holdWrites
      for (const name of ["a", "b", "c"]) writer.noteChange(name)
      yield* untilIdle
      const callers = yield* Effect.forEach([1, 2, 3], () => Effect.forkScoped(writer.persist))
      yield* untilIdle
      assert.deepStrictEqual(callers.map((fiber) => fiber.pollUnsafe()), [undefined, undefined, undefined])
      yield* faults.resumeWrites
      yield* Effect.forEach(callers, Fiber.join)
      yield* untilIdle
      assert.lengthOf(saved, 2)
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("a failing disk is logged once, and changes are written when it works again", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const { saved, writer } = yield* writing()
      yield* writer.start
      yield* faults.failWrites("broken")
      writer.noteChange("t")
      yield* TestClock.adjust("10 seconds")
      assert.match((yield* Effect.flip(writer.persist)).message, /broken/)
      assert.lengthOf(log.filter((line) => line.includes("failed to persist metadata")), 1)
      assert.deepStrictEqual(saved, [])
      yield* faults.failWrites(undefined)
      yield* TestClock.adjust("2 seconds")
      assert.lengthOf(saved, 1)
      assert.lengthOf(log.filter((line) => line === "NSQ: metadata can be persisted again"), 1)
    }).pipe(Effect.scoped, Effect.provide(world(log)))
  })

  it.effect("with thousands of topics the writes are 50 ms per thousand apart", () =>
    Effect.gen(function*() {
      const topic = yield* topicOf("t")
      const { saved, writer } = yield* writing(Array.from({ length: 2000 }, () => topic))
      yield* writer.start
      writer.persistSoon()
      yield* untilIdle
      writer.persistSoon()
      yield* TestClock.adjust("99 millis")
      yield* untilIdle
      assert.lengthOf(saved, 1)
      yield* TestClock.adjust("1 millis")
      yield* untilIdle
      assert.lengthOf(saved, 2)
    }).pipe(Effect.scoped, Effect.provide(world())))

  it.effect("the fiber that writes changes ends with its Scope", () =>
    Effect.gen(function*() {
      const { saved, writer } = yield* writing()
      yield* Effect.scoped(writer.start)
      writer.noteChange("t")
      yield* untilIdle
      assert.deepStrictEqual(saved, [])
    }).pipe(Effect.provide(world())))
})
