import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Logger, Queue, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { createHash } from "node:crypto"
import process from "node:process"
import { gunzipSync } from "node:zlib"
import { Broker } from "../../../src/broker.ts"
import { Consumer, Producer, Topic } from "../../../src/services/client/index.ts"
import { DaemonState } from "../../../src/services/core/DaemonState.ts"
import * as ToFile from "../../../src/services/tools/ToFile.ts"
import { TestBroker, until } from "../../../src/testing/index.ts"
import { fakeServer } from "../http/fakeServer.ts"
import { layer as memoryFiles, MemoryFiles } from "./memoryFiles.ts"

const layer = Layer.mergeAll(TestBroker.layer(), memoryFiles).pipe(Layer.provideMerge(FetchHttpClient.layer))
const servers = { nsqd: [TestBroker.address] }

/** Address of an nsqlookupd that never replies. */
const silent = fakeServer(() => {})

const options: ToFile.ToFileOptions = {
  ...ToFile.defaults(),
  topics: ["t"],
  nsqdTcpAddresses: [TestBroker.address],
  outputDir: "/out",
  filenameFormat: "<TOPIC><REV>.log",
  maxInFlight: 5
}

const publish = (bodies: ReadonlyArray<string>, topic = "t") =>
  Effect.scoped(Effect.flatMap(Producer.make({ servers }), (producer) => producer.publishAll(topic, bodies)))

/** Distinct bodies of the same size. */
const bodies = (count: number, size: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${size}-${i}-`.padEnd(size, "x"))

const channel = Effect.map(Broker, (broker) => {
  const found = broker.findTopic("t")?.channel("nsq_to_file")
  if (found === undefined) throw new Error("the channel does not exist yet")
  return found
})

/** Completes when this many messages are in flight and the file exists. */
const holds = Effect.fnUntraced(function*(count: number, path: string) {
  const broker = yield* Broker
  const files = yield* MemoryFiles
  yield* until(
    () => broker.findTopic("t")?.channel("nsq_to_file")?.inFlightCount === count && path in files.contents(),
    `${count} messages are in flight and ${path} exists`
  )
})

/** The messages that are in the channel when no consumer is left. */
const leftInQueue = Effect.gen(function*() {
  const { depth } = yield* Effect.tap(
    channel,
    (queue) => until(() => queue.subscriptions.length === 0 && queue.inFlightCount === 0)
  )
  const consumer = yield* Consumer.make({
    topic: Topic.bytes("t"),
    channel: "nsq_to_file",
    servers,
    maxInFlight: depth + 1
  })
  const left = yield* Stream.runCollect(Stream.take(consumer.messages, depth))
  return left.map(({ body }) => Buffer.from(body).toString())
})

const written = Effect.map(MemoryFiles, (files) =>
  Object.keys(files.contents()).flatMap((path) => {
    const bytes = files.bytes(path)
    return (path.endsWith(".gz") && bytes.length > 0 ? gunzipSync(bytes) : bytes).toString().split("\n")
  }))

/** Asserts that every message is complete in a file or back in the queue. */
const assertNothingLost = Effect.fnUntraced(function*(sent: ReadonlyArray<string>) {
  const kept = new Set([...(yield* written), ...(yield* leftInQueue)])
  assert.deepStrictEqual(sent.filter((body) => !kept.has(body)), [])
})

/** Runs the tool. */
const start = Effect.fnUntraced(function*(changed: Partial<ToFile.ToFileOptions> = {}) {
  const daemon = DaemonState.make()
  const running = Effect.scoped(ToFile.main({ ...options, ...changed }))
  const fiber = yield* Effect.forkScoped(Effect.provideService(running, DaemonState, daemon))
  return { daemon, fiber }
})

describe("nsq_to_file", () => {
  it.live("nsq_to_file limits requests to nsqlookupd by its request timeout", () =>
    Effect.gen(function*() {
      const address = yield* silent
      const logged = yield* Queue.unbounded<string>()
      const logger = Logger.make(({ message }) => void Queue.offerUnsafe(logged, String(message)))
      const changed = {
        ...ToFile.defaults(),
        lookupdHttpAddresses: [address],
        topicPattern: ".",
        httpClientRequestTimeout: Duration.millis(20)
      }
      yield* Effect.forkScoped(Effect.provide(ToFile.main(changed), Logger.layer([logger])))
      assert.strictEqual(yield* Queue.take(logged), `error querying nsqlookupd (${address}) - timed out after 20ms`)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  for (
    const [how, changed] of [
      ["plain files", {}],
      ["compressed files", { gzip: true }],
      ["files that rotate by size", { rotateSize: 100 }],
      ["compressed files that rotate by size", { gzip: true, rotateSize: 100 }],
      ["a work directory", { workDir: "/out-work" }]
    ] as const
  ) {
    it.effect(`no message is finished after a failed write, with ${how}`, () =>
      Effect.gen(function*() {
        const files = yield* MemoryFiles
        // Hashes hardly compress.
        const large = Array.from({ length: 10 }, (_, i) => createHash("sha512").update(String(i)).digest("hex"))
        const sent = [...bodies(20, 30), ...large]
        yield* publish(sent)
        files.setCapacity("gzip" in changed ? 500 : 1000)
        const { fiber } = yield* start(changed)
        assert.match(String(yield* Effect.flip(Fiber.join(fiber))), /FATAL: writing message to disk: .*ENOSPC/)
        files.setCapacity(Infinity)
        yield* assertNothingLost(sent)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  for (const gzip of [false, true]) {
    it.effect(`no message is finished after a failed sync (gzip ${gzip})`, () =>
      Effect.gen(function*() {
        const files = yield* MemoryFiles
        let syncs = 0
        files.fail((operation) => operation === "sync" && ++syncs === 2 ? "EIO" : undefined)
        const sent = bodies(20, 30)
        yield* publish(sent)
        const { fiber } = yield* start({ gzip })
        assert.match(String(yield* Effect.flip(Fiber.join(fiber))), /FATAL: failed to fsync output file/)
        assert.strictEqual(syncs, 2)
        // The first sync finished five messages. The file may have more, and nsqd must still have those.
        const left = yield* leftInQueue
        assert.strictEqual(left.length, 15)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("messages are requeued and the exit code is 1 when nsq_to_file stops while the disk is full", () =>
    Effect.gen(function*() {
      const files = yield* MemoryFiles
      const sent = bodies(3, 50)
      yield* publish(sent)
      const { daemon, fiber } = yield* start({ gzip: true, maxInFlight: 10 })
      // Compressed messages wait in memory for the next sync.
      yield* holds(3, "/out/t-000000.log.gz")
      files.setCapacity(10)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(daemon.hasLost)
      files.setCapacity(Infinity)
      // Bytes without a sync are truncated, so that the file can still be read.
      assert.strictEqual(files.bytes("/out/t-000000.log.gz").length, 0)
      yield* assertNothingLost(sent)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  for (
    const [when, trigger] of [
      ["at the sync interval", TestClock.adjust("30 seconds")],
      ["at SIGHUP", Effect.sync(() => process.emit("SIGHUP"))]
    ] as const
  ) {
    it.effect(`messages are requeued when the disk is full ${when}`, () =>
      Effect.gen(function*() {
        const files = yield* MemoryFiles
        const sent = bodies(3, 50)
        yield* publish(sent)
        const { fiber } = yield* start({ gzip: true, maxInFlight: 10 })
        yield* holds(3, "/out/t-000000.log.gz")
        files.setCapacity(10)
        yield* trigger
        assert.match(String(yield* Effect.flip(Fiber.join(fiber))), /FATAL: writing message to disk/)
        files.setCapacity(Infinity)
        yield* assertNothingLost(sent)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("a line that was cut off is not continued", () =>
    Effect.gen(function*() {
      const files = yield* MemoryFiles
      files.put("/out/t.log", "whole\ncut o")
      yield* publish(["next"])
      const { fiber } = yield* start({ maxInFlight: 1 })
      yield* until(() => files.contents()["/out/t.log"] === "whole\ncut o\nnext\n")
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("finished files are moved to another file system when nsq_to_file stops", () =>
    Effect.gen(function*() {
      const files = yield* MemoryFiles
      yield* publish(["one"])
      const { daemon, fiber } = yield* start({ workDir: "/work" })
      yield* holds(1, "/work/t-000000.log")
      files.put("/out/t-000000.log", "of another program")
      yield* Fiber.interrupt(fiber)
      assert.isFalse(daemon.hasLost)
      assert.deepStrictEqual(files.contents(), {
        "/out/t-000000.log": "of another program",
        "/out/t-000001.log": "one\n"
      })
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("the exit code is 1 and the file stays in place when it cannot be moved to another file system", () =>
    Effect.gen(function*() {
      const files = yield* MemoryFiles
      yield* publish(["one"])
      const { daemon, fiber } = yield* start({ workDir: "/work" })
      yield* holds(1, "/work/t-000000.log")
      files.setCapacity(6)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(daemon.hasLost)
      assert.deepStrictEqual(files.contents(), { "/work/t-000000.log": "one\n" })
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("finished files are moved on file systems without hard links", () =>
    Effect.gen(function*() {
      const files = yield* MemoryFiles
      yield* publish(["one"])
      files.fail((operation) => operation === "link" ? "EPERM" : undefined)
      const { daemon, fiber } = yield* start({ workDir: "/work" })
      yield* holds(1, "/work/t-000000.log")
      files.put("/out/t-000000.log", "of another program")
      yield* Fiber.interrupt(fiber)
      assert.isFalse(daemon.hasLost)
      assert.deepStrictEqual(files.contents(), {
        "/out/t-000000.log": "of another program",
        "/out/t-000001.log": "one\n"
      })
    }).pipe(Effect.scoped, Effect.provide(layer)))

  for (const pattern of ["(?i)^BACKUP", "[[:alpha:]]+_[[:digit:]]", "(?P<n>up)", "\\Abackup_1\\z"]) {
    it.effect(`the pattern ${pattern} matches names of topics`, () =>
      Effect.gen(function*() {
        const files = yield* MemoryFiles
        yield* publish(["not written"])
        yield* publish(["written"], "backup_1")
        const { fiber } = yield* start({ topics: ["t", "backup_1"], topicPattern: pattern })
        yield* until(() => Object.keys(files.contents()).length > 0)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(files.contents(), { "/out/backup_1.log": "written\n" })
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("a pattern is matched in linear time", () =>
    Effect.gen(function*() {
      const { fiber } = yield* start({ topics: ["a".repeat(64)], topicPattern: "^(\\w+)*events$" })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("nsq_to_file does not start with an invalid pattern", () =>
    Effect.gen(function*() {
      const { fiber } = yield* start({ topicPattern: "(unclosed" })
      assert.match(
        String(yield* Effect.flip(Fiber.join(fiber))),
        /invalid --topic-pattern "\(unclosed": .*missing closing \)/
      )
    }).pipe(Effect.scoped, Effect.provide(layer)))
})
