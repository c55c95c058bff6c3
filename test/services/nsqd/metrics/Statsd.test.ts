import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Duration, Effect, Exit, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Dgram from "node:dgram"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { LogOutput } from "../../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../../src/services/logging/NsqLogger.ts"
import * as NodeDatagrams from "../../../../src/services/net/NodeDatagrams.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { consume, publish } from "../../../../src/services/nsqd/broker/InProcess.ts"
import * as Statsd from "../../../../src/services/nsqd/metrics/Statsd.ts"
import type { NsqdOptions } from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { RuntimeOptions } from "../../../../src/services/nsqd/options/RuntimeOptions.ts"
import { type MemoryStats, ProcessMemory } from "../../../../src/services/nsqd/stats/ProcessMemory.ts"
import { MemoryDatagrams, TestBroker } from "../../../../src/testing/index.ts"

const body = (text: string) => Buffer.from(text)

/** Every figure is its position in the list; each read adds three garbage collections. */
const memory = Layer.sync(ProcessMemory, () => {
  let reads = 0
  return {
    read: (): MemoryStats => {
      reads++
      return {
        heap_objects: 1,
        heap_idle_bytes: 2,
        heap_in_use_bytes: 3,
        heap_released_bytes: 4,
        gc_pause_usec_100: 5,
        gc_pause_usec_99: 6,
        gc_pause_usec_95: 7,
        next_gc_bytes: 8,
        gc_total_runs: 3 * reads
      }
    }
  }
})

/** A broker that pushes to `statsd:8125`, and its log. */
const statsd = (changed: Partial<NsqdOptions>, log: Array<string> = []) =>
  Statsd.layer.pipe(
    Layer.provideMerge(MemoryDatagrams.layer),
    Layer.provide(Layer.mergeAll(memory, RuntimeOptions.layer)),
    Layer.provideMerge(
      TestBroker.layer({ statsdAddress: "statsd:8125", statsdPrefix: "p.", statsdMemStats: false, ...changed })
    ),
    Layer.provide(
      NsqLogger.layer({ level: "info", prefix: "", format: "nsq" }).pipe(
        Layer.provide(Layer.succeed(LogOutput, { write: (line) => void log.push(line) }))
      )
    )
  )

/** The received lines. */
const lines = Effect.gen(function*() {
  const received = yield* MemoryDatagrams.ReceivedDatagrams
  const datagrams = yield* received.takeAvailable
  return datagrams.flatMap(({ text }) => text.trimEnd().split("\n")).filter((line) => line !== "")
})

const valueOf = (found: ReadonlyArray<string>, name: string) =>
  found.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1)

const openChannel = (topic: string, channel: string) =>
  Broker.use((broker) => broker.channel(TopicName.make(topic), ChannelName.make(channel)))

describe("statsd", () => {
  it.effect("statsd gets every metric of topics, channels and memory in NSQ's order, one interval after the start", () =>
    Effect.gen(function*() {
      yield* openChannel("t", "b")
      yield* openChannel("t", "a")
      yield* publish("t", [body("abc"), body("de")])
      yield* TestClock.adjust("59999 millis")
      assert.deepStrictEqual(yield* lines, [])
      yield* TestClock.adjust("1 millis")
      yield* TestClock.adjust("59 seconds")
      const channel = (name: string) => [
        `p.topic.t.channel.${name}.message_count:2|c`,
        `p.topic.t.channel.${name}.depth:2|g`,
        `p.topic.t.channel.${name}.backend_depth:0|g`,
        `p.topic.t.channel.${name}.in_flight_count:0|g`,
        `p.topic.t.channel.${name}.deferred_count:0|g`,
        `p.topic.t.channel.${name}.requeue_count:0|c`,
        `p.topic.t.channel.${name}.timeout_count:0|c`,
        `p.topic.t.channel.${name}.clients:0|g`
      ]
      assert.deepStrictEqual(yield* lines, [
        "p.topic.t.message_count:2|c",
        "p.topic.t.message_bytes:5|c",
        "p.topic.t.depth:0|g",
        "p.topic.t.backend_depth:0|g",
        ...channel("a"),
        ...channel("b"),
        "p.mem.heap_objects:1|g",
        "p.mem.heap_idle_bytes:2|g",
        "p.mem.heap_in_use_bytes:3|g",
        "p.mem.heap_released_bytes:4|g",
        "p.mem.gc_pause_usec_100:5|g",
        "p.mem.gc_pause_usec_99:6|g",
        "p.mem.gc_pause_usec_95:7|g",
        "p.mem.next_gc_bytes:8|g",
        "p.mem.gc_runs:3|c"
      ])
    }).pipe(Effect.provide(statsd({ statsdMemStats: true }))))

  it.effect("counters are the increase since the last push, gauges the current value", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      yield* openChannel("t", "c")
      yield* publish("t", [body("abc"), body("de")])
      yield* TestClock.adjust("60 seconds")
      yield* lines
      yield* publish("t", body("x"))
      yield* TestClock.adjust("60 seconds")
      const second = yield* lines
      assert.strictEqual(valueOf(second, "p.topic.t.message_count"), "1|c")
      assert.strictEqual(valueOf(second, "p.topic.t.message_bytes"), "1|c")
      assert.strictEqual(valueOf(second, "p.topic.t.channel.c.message_count"), "1|c")
      assert.strictEqual(valueOf(second, "p.topic.t.channel.c.depth"), "3|g")
      yield* broker.deleteTopic("t")
      yield* publish("t", [body("a"), body("b")])
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(valueOf(yield* lines, "p.topic.t.message_count"), "2|c")
    }).pipe(Effect.provide(statsd({}))))

  it.effect("datagrams are spread over the interval without its last second, and a stop sends the rest at once", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        statsd({ statsdInterval: Duration.seconds(11), statsdUdpPacketSize: 1 }),
        scope
      )
      const received = Context.get(context, MemoryDatagrams.ReceivedDatagrams)
      yield* Effect.provide(publish("t", body("x")), context)
      const arrivals: Array<number> = []
      yield* TestClock.adjust("11 seconds")
      for (let i = 0; i < 4; i++) {
        arrivals.push((yield* received.takeAvailable).length)
        yield* TestClock.adjust("2500 millis")
      }
      assert.deepStrictEqual(arrivals, [1, 1, 1, 1])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual((yield* received.takeAvailable).length, 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* received.takeAvailable).length, 3)
    }))

  it.effect("percentiles are gauges in ns after the other metrics of their topic or channel", () =>
    Effect.gen(function*() {
      yield* publish("t", body("x"))
      yield* TestClock.adjust("1500 millis")
      yield* consume("t", "c").pipe(Stream.tap((delivery) => delivery.finish), Stream.take(1), Stream.runDrain)
      yield* TestClock.adjust("60 seconds")
      const found = yield* lines
      const latency = (line: string) => line.includes("e2e_processing_latency")
      assert.deepStrictEqual(found.filter(latency), [
        "p.topic.t.e2e_processing_latency_100:1500000000|g",
        "p.topic.t.e2e_processing_latency_99:1500000000|g",
        "p.topic.t.channel.c.e2e_processing_latency_100:1500000000|g",
        "p.topic.t.channel.c.e2e_processing_latency_99:1500000000|g"
      ])
      assert.isTrue(found[3]?.startsWith("p.topic.t.backend_depth"))
      assert.isTrue(latency(found.at(-1) ?? ""))
    }).pipe(Effect.provide(statsd({ e2eProcessingLatencyPercentiles: [1, 0.99], statsdUdpPacketSize: 4096 }))))

  it.live("statistics arrive at a UDP socket", () =>
    Effect.gen(function*() {
      const arrived = yield* Deferred.make<string>()
      const socket = yield* Effect.acquireRelease(
        Effect.callback<Dgram.Socket>((resume) => {
          const opened = Dgram.createSocket("udp4")
          opened.once("message", (bytes) => Deferred.doneUnsafe(arrived, Exit.succeed(bytes.toString())))
          opened.bind(0, "127.0.0.1", () => resume(Effect.succeed(opened)))
        }),
        (opened) => Effect.sync(() => void opened.close())
      )
      const options = {
        statsdAddress: `127.0.0.1:${socket.address().port}`,
        statsdInterval: Duration.millis(10),
        statsdPrefix: "p."
      }
      const pushing = Statsd.layer.pipe(
        Layer.provide(Layer.mergeAll(memory, RuntimeOptions.layer, NodeDatagrams.layer)),
        Layer.provide(TestBroker.layer(options))
      )
      yield* Layer.build(pushing)
      assert.match(yield* Deferred.await(arrived), /^p\.mem\.heap_objects:1\|g\n/)
    }))

  it.effect("--statsd-exclude-ephemeral omits ephemeral topics and channels", () =>
    Effect.gen(function*() {
      yield* openChannel("e#ephemeral", "c")
      yield* openChannel("t", "x#ephemeral")
      yield* openChannel("t", "c")
      yield* TestClock.adjust("120 seconds")
      const found = yield* lines
      assert.strictEqual(valueOf(found, "p.topic.t.channel.c.clients"), "0|g")
      assert.isFalse(found.some((line) => line.includes("ephemeral")))
    }).pipe(Effect.provide(statsd({ statsdExcludeEphemeral: true }))))

  it.effect("nothing is sent without topics and memory statistics", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* lines, [])
    }).pipe(Effect.provide(statsd({}))))

  it.effect("a failed push is logged, and its counts are in the next one", () => {
    const log: Array<string> = []
    return Effect.gen(function*() {
      const { setReachable } = yield* MemoryDatagrams.ReceivedDatagrams
      yield* publish("t", body("x"))
      setReachable(false)
      yield* TestClock.adjust("60 seconds")
      assert.isTrue(log.some((line) => line.includes("failed to create UDP socket to statsd(statsd:8125)")))
      setReachable(true)
      yield* publish("t", body("y"))
      yield* TestClock.adjust("60 seconds")
      assert.strictEqual(valueOf(yield* lines, "p.topic.t.message_count"), "2|c")
      assert.isTrue(log.some((line) => line.endsWith("STATSD: pushing stats to statsd:8125")))
    }).pipe(Effect.provide(statsd({}, log)))
  })
})
