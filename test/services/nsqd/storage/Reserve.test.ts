import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, References, Scope } from "effect"
import { TestClock } from "effect/testing"
import { brotliCompressSync } from "node:zlib"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { Reserve, reserveBytes } from "../../../../src/services/nsqd/storage/Reserve.ts"
import { FaultyDisk, TestBroker, until } from "../../../../src/testing/index.ts"
import { channelOf, join, send, topicOf } from "../broker/testing.ts"
import { layer, range, recordsOf } from "./queues.ts"

const kib = 1024
const reservePath = "/data/nsqd.reserve.dat"

describe("the reserve", () => {
  it("the reserve is a sixteenth of a small disk, 16 MiB on a large one, and absent on a tiny one", () => {
    assert.strictEqual(reserveBytes(10 ** 12), 16 * kib * kib)
    assert.strictEqual(reserveBytes(8 * kib * kib), 512 * kib)
    assert.strictEqual(reserveBytes(512 * kib), 0)
    assert.strictEqual(reserveBytes(0), 0)
  })

  it.effect("the reserve takes real space and is created once there is twice its size free", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const disk = yield* Disk
      faulty.resize(2048 * kib)
      faulty.put("/data/other", Buffer.alloc(1900 * kib))
      const reserve = new Reserve(disk, "/data")
      yield* reserve.maintain
      assert.isFalse(faulty.files().has(reservePath))
      faulty.put("/data/other", Buffer.alloc(100 * kib))
      yield* reserve.maintain
      const content = faulty.files().get(reservePath) ?? Buffer.alloc(0)
      assert.strictEqual(content.length, 128 * kib)
      assert.isAbove(brotliCompressSync(content).length, 127 * kib)
      // The next start finds it.
      faulty.fail((operation) => operation === "write" ? "EIO" : undefined)
      yield* new Reserve(disk, "/data").maintain
      assert.isTrue(faulty.files().has(reservePath))
    }).pipe(Effect.provide(layer)))

  it.effect("the reserve is used for required writes and not for messages, which are refused until it exists again", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(2048 * kib)
      const reserve = new Reserve(yield* Disk, "/data")
      yield* reserve.maintain
      const { disk } = reserve
      const queue = yield* disk.create("/data/t.diskqueue.000000.dat")
      yield* queue.write([Buffer.alloc(1910 * kib)], 0)
      assert.isUndefined(reserve.refusal)
      assert.strictEqual((yield* Effect.flip(queue.write([Buffer.alloc(20 * kib)], 1910 * kib))).code, "ENOSPC")
      assert.isTrue(faulty.files().has(reservePath))
      assert.strictEqual(reserve.refusal, "write /data/t.diskqueue.000000.dat: no space left on device")
      yield* queue.truncate(1910 * kib)

      yield* disk.writeText("/data/nsqd.dat", "x".repeat(20 * kib))
      assert.isFalse(faulty.files().has(reservePath))
      const other = yield* disk.create("/data/u.diskqueue.state.dat")
      yield* other.write([Buffer.alloc(20 * kib)], 0)
      // There is space now, but not for messages.
      assert.strictEqual((yield* Effect.flip(queue.write([Buffer.alloc(kib)], 1910 * kib))).code, "ENOSPC")
      yield* reserve.maintain
      assert.isDefined(reserve.refusal)

      yield* disk.remove("/data/t.diskqueue.000000.dat")
      yield* reserve.maintain
      assert.isTrue(faulty.files().has(reservePath))
      assert.isUndefined(reserve.refusal)
      const next = yield* disk.create("/data/t.diskqueue.000001.dat")
      yield* next.write([Buffer.alloc(kib)], 0)
    }).pipe(Effect.provide(layer)))

  it.effect("all writes that failed before the reserve was released use its space", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(2048 * kib)
      const raw = yield* Disk
      let looks = 0
      // The check of the second failure takes longer than that of the first.
      const space = (path: string) =>
        Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 20 * looks++ }), raw.space(path))
      const reserve = new Reserve(Disk.of({ ...raw, space }), "/data")
      yield* reserve.maintain
      faulty.put("/data/other", Buffer.alloc(1920 * kib))
      const write = (name: string) => reserve.disk.writeText(`/data/${name}`, "x".repeat(8 * kib))
      yield* Effect.all([write("nsqd.dat"), write("t.diskqueue.meta.dat")], { concurrency: "unbounded" })
      assert.isFalse(faulty.files().has(reservePath))
    }).pipe(Effect.provide(layer)))

  it.effect("a failed write counts as a full disk only if the disk has no space", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(2048 * kib)
      const reserve = new Reserve(yield* Disk, "/data")
      yield* reserve.maintain
      faulty.fail((operation) => operation === "write" ? "EDQUOT" : undefined)
      const file = yield* reserve.disk.create("/data/t.diskqueue.000000.dat")
      assert.strictEqual((yield* Effect.flip(file.write([Buffer.alloc(1)], 0))).code, "EDQUOT")
      assert.isUndefined(reserve.refusal)
    }).pipe(Effect.provide(layer)))
})

describe("a broker on a full disk", () => {
  const body = "x".repeat(8 * kib)
  const silent = Layer.succeed(References.MinimumLogLevel, "None")

  const start = Effect.fnUntraced(function*(daemon = DaemonState.make()) {
    const disk = Layer.succeed(Disk, yield* Disk)
    const scope = yield* Scope.make()
    const broker = Layer.fresh(
      TestBroker.layerNoStorage({ memQueueSize: 5 }).pipe(
        Layer.provide(DiskStorage.layer.pipe(Layer.provide(Options.layer({ dataPath: "/data", syncEvery: 1 })))),
        Layer.provide(Layer.succeed(DaemonState, daemon)),
        Layer.provide(disk),
        Layer.provide(silent)
      )
    )
    const context = yield* Scope.provide(Layer.build(broker), scope)
    yield* TestClock.adjust("1 second")
    /** A topic may be waiting before it retries a write to a channel's disk. */
    const stop = Effect.gen(function*() {
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      while (closing.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
    })
    return { context, stop }
  })

  /** Publishes until the disk refuses; returns the number of accepted messages. */
  const fill = Effect.gen(function*() {
    let taken = 0
    while (true) {
      const exit = yield* Effect.exit(send("t", body))
      if (Exit.isFailure(exit)) return taken
      taken++
    }
  })

  /** Consumes everything at the channel, and waits until files are removed. */
  const drain = Effect.fnUntraced(function*(count: number) {
    const { recording, subscription } = yield* join("t", "c", 10_000)
    let left = count
    while (left > 0) {
      for (const { id } of recording.take()) {
        subscription.finish(messageKey(id))
        left--
      }
      yield* TestClock.adjust("100 millis")
    }
    yield* TestClock.adjust("2 seconds")
  })

  it.effect("on a full disk publishers get the disk's error, consumers continue, and publishing resumes without a restart", () =>
    Effect.gen(function*() {
      ;(yield* FaultyDisk).resize(2048 * kib)
      const { context, stop } = yield* start()
      yield* Effect.gen(function*() {
        yield* channelOf("t", "c")
        yield* topicOf("other")
        const taken = yield* fill
        assert.isAbove(taken, 100)
        const refused = yield* Effect.flip(send("other", "fits into memory"))
        assert.match(refused.message, /^write \/data\/.*: no space left on device$/)
        yield* drain(taken)
        yield* send("other", body)
        yield* send("t", body)
      }).pipe(Effect.scoped, Effect.provideContext(context))
      yield* stop
    }).pipe(Effect.provide(layer)))

  it.effect("a broker on a full disk stops without losing accepted messages", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(2048 * kib)
      const daemon = DaemonState.make()
      const first = yield* start(daemon)
      const taken = yield* Effect.andThen(channelOf("t", "c"), fill).pipe(Effect.provideContext(first.context))
      yield* first.stop
      assert.isFalse(daemon.hasLost)
      faulty.resize(0)
      const second = yield* start()
      yield* Effect.gen(function*() {
        const { recording } = yield* join("t", "c", 10_000)
        yield* until(() => recording.bodies().length === taken)
      }).pipe(Effect.scoped, Effect.provideContext(second.context))
      yield* second.stop
      // The rest of the failed write was cut off.
      assert.deepStrictEqual(Array.from(faulty.files().keys()).filter((path) => path.endsWith(".bad")), [])
    }).pipe(Effect.provide(layer)))

  it.effect("a loss of messages is reported by the exit status if even the reserve is not sufficient", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(2048 * kib)
      const daemon = DaemonState.make()
      const { context, stop } = yield* start(daemon)
      yield* Effect.andThen(channelOf("t", "c"), fill).pipe(Effect.provideContext(context))
      // Another program takes the space as soon as it is free.
      faulty.fail((operation, path) => operation === "write" && /\d{6}\.dat$/.test(path) ? "ENOSPC" : undefined)
      yield* stop
      assert.isTrue(daemon.hasLost)
    }).pipe(Effect.provide(layer)))

  it.effect("a broker starts on a full disk, and its consumers free space", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      faulty.resize(2048 * kib)
      const first = yield* start()
      const taken = yield* Effect.andThen(channelOf("t", "c"), fill).pipe(Effect.provideContext(first.context))
      yield* first.stop
      const used = Array.from(faulty.files().values()).reduce((sum, { length }) => sum + length, 0)
      faulty.resize(used)
      const second = yield* start()
      yield* Effect.gen(function*() {
        yield* drain(taken)
        yield* send("t", body)
      }).pipe(Effect.scoped, Effect.provideContext(second.context))
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  it.effect("a broker starts on a full disk with a directory of NSQ's nsqd and topics without files", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const channels = [{ name: "c", paused: false }]
      const topics = ["t", "without-files"].map((name) => ({ name, paused: false, channels }))
      const { bytes } = recordsOf(range(0, 200), body.length)
      faulty.put("/data/nsqd.dat", JSON.stringify({ topics, version: "1.3.0" }))
      faulty.put("/data/t:c.diskqueue.000000.dat", bytes)
      faulty.put("/data/t:c.diskqueue.meta.dat", `200\n0,0\n0,${bytes.length}\n`)
      const used = Array.from(faulty.files().values()).reduce((sum, { length }) => sum + length, 0)
      faulty.resize(used)
      const { context, stop } = yield* start()
      yield* Effect.gen(function*() {
        yield* drain(200)
        yield* send("without-files", body)
      }).pipe(Effect.scoped, Effect.provideContext(context))
      yield* stop
    }).pipe(Effect.provide(layer)))
})
