import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { NodeStatus } from "../../../src/protocol/http/NodeResponse.ts"
import { type FakeCluster, fakeCluster, latest, passSamples, samplerLayer } from "./cluster.ts"

const warnings = Effect.map(latest, (sample) => sample.warnings)

/** Kind and text of each warning. */
const listed = Effect.map(warnings, (found) => found.map(({ kind, text }) => [kind, text]))

const kinds = Effect.map(warnings, (found) => found.map(({ kind }) => kind))

const withCluster = (state: FakeCluster) => Effect.provide(samplerLayer(state))

describe("Warnings", () => {
  it.effect("a healthy cluster has no warnings", () =>
    Effect.gen(function*() {
      yield* passSamples(10)
      assert.deepStrictEqual(yield* warnings, [])
    }).pipe(withCluster(fakeCluster({
      a: { topics: { t: { depth: 0, channels: { c: { depth: 3 }, d: { depth: 5, client_count: 1 } } } } }
    }))))

  it.effect("a topic without channels causes a warning, also on a single nsqd", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listed, [
        ["topic_without_channels", "Topic t has no channels: 1,234 messages wait for the first channel"],
        ["topic_without_channels", "Topic v has no channels on b:4151: 1 message waits there"],
        ["topic_without_channels", "Topic u has no channels: new messages will wait for the first channel"]
      ])
      assert.deepStrictEqual((yield* warnings).map(({ node, topic }) => [topic, node]), [
        ["t", ""],
        ["v", "b:4151"],
        ["u", ""]
      ])
    }).pipe(withCluster(fakeCluster({
      a: { topics: { t: { depth: 1000 }, u: {}, v: { channels: { c: {} } } } },
      b: { topics: { t: { depth: 234 }, v: { depth: 1 } } }
    }))))

  it.effect("a topic that no nsqd has causes a warning, a topic of an unresponsive nsqd does not", () => {
    const state = fakeCluster({ a: { topics: { t: { channels: { c: {} } } } }, b: { topics: {} } })
    state.topics.push("forgotten")
    return Effect.gen(function*() {
      const text = "Topic forgotten has no producers: it is registered with nsqlookupd, but no nsqd has it"
      assert.deepStrictEqual(yield* listed, [["topic_without_producers", text]])
      const { figures } = yield* latest
      assert.deepStrictEqual([...figures.topics.keys()], ["t", "forgotten"])
      assert.strictEqual(figures.topics.get("forgotten")?.summary.depth, 0)
    }).pipe(withCluster(state))
  })

  it.effect("a paused topic or channel causes a warning that states where it is paused", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listed, [
        ["paused_topic", "Topic t is paused on 1 of 2 nsqds: 7 messages wait"],
        ["paused_channel", "Channel c of topic t is paused: 3 messages wait"]
      ])
    }).pipe(withCluster(fakeCluster({
      a: { topics: { t: { depth: 7, paused: true, channels: { c: { depth: 1, paused: true } } } } },
      b: { topics: { t: { channels: { c: { depth: 2, paused: true } } } } }
    }))))

  it.effect("a warning keeps the time of its start and ends with its cause", () => {
    const t = { paused: true, channels: { c: {} } }
    return Effect.gen(function*() {
      yield* passSamples(1)
      const [first] = yield* warnings
      yield* passSamples(3)
      assert.deepStrictEqual(yield* warnings, first === undefined ? [] : [first])
      t.paused = false
      yield* passSamples(1)
      assert.deepStrictEqual(yield* warnings, [])
      t.paused = true
      yield* passSamples(1)
      assert.deepStrictEqual((yield* warnings).map(({ since }) => since - (first?.since ?? 0)), [30_000])
    }).pipe(withCluster(fakeCluster({ a: { topics: { t } } })))
  })

  it.effect("a channel without clients causes a warning when it has grown for half a minute, until a client connects", () => {
    const c = { depth: 0, client_count: 0 }
    const grow = Effect.suspend(() => {
      c.depth += 2
      return passSamples(1)
    })
    return Effect.gen(function*() {
      yield* latest
      for (let i = 0; i < 5; i++) yield* grow
      assert.deepStrictEqual(yield* warnings, [])
      yield* grow
      assert.deepStrictEqual(yield* listed, [
        [
          "unconsumed_channel",
          "Channel c of topic t has no consumers: 12 messages wait, growing 0.4/s"
        ]
      ])
      // The warning remains while the depth stays the same.
      yield* passSamples(10)
      assert.deepStrictEqual(yield* kinds, ["unconsumed_channel"])
      c.client_count = 1
      yield* passSamples(1)
      assert.deepStrictEqual(yield* warnings, [])
    }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c } } } } })))
  })

  it.effect("the return of an nsqd does not count as growth of its channels", () => {
    const b = { topics: { t: { channels: { c: { depth: 100 } } } }, fails: "connection refused" }
    return Effect.gen(function*() {
      yield* passSamples(10)
      b.fails = ""
      yield* passSamples(10)
      assert.deepStrictEqual(yield* warnings, [])
    }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c: { depth: 5 } } } } }, b })))
  })

  it.effect("unreachable daemons, degraded daemons and different versions cause warnings", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* listed, [
        ["daemon_unhealthy", "nsqd b:4151 is degraded: NOK - no space left on device"],
        ["daemon_gone", "nsqd c:4151 is unreachable and has not replied"],
        ["versions_differ", "nsqd versions differ: 1.2.1 on b:4151; 1.3.0 on a:4151"]
      ])
    }).pipe(withCluster(fakeCluster({
      a: { topics: {} },
      b: { topics: {}, version: "1.2.1", health: "NOK - no space left on device" },
      c: { topics: {}, version: "1.1.0", fails: "connection refused" }
    }))))

  it.effect("a hundred warnings of a kind are listed, and one more states the number of the others", () => {
    const topics = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`t${i}`, {}]))
    return Effect.gen(function*() {
      const found = yield* warnings
      assert.strictEqual(found.length, 101)
      assert.deepInclude(found.at(-1), { topic: "", text: "150 more warnings of this kind" })
    }).pipe(withCluster(fakeCluster({ a: { topics } })))
  })

  describe("of channels with consumers", () => {
    /** Changes the counters of the channel before each of `count` samples. */
    const repeat = (count: number, change: () => void) =>
      Effect.gen(function*() {
        for (let i = 0; i < count; i++) {
          change()
          yield* passSamples(1)
        }
      })

    const stuck = { depth: 0, in_flight_count: 5, message_count: 5, timeout_count: 0, client_count: 1 }
    const resizer = { client_id: "resizer-7", message_count: 80, in_flight_count: 5, finish_count: 0, ready_count: 5 }

    it.effect("a channel whose messages time out while nothing is finished is stuck", () => {
      const c: Record<string, number> = { ...stuck }
      const clients = [resizer]
      return Effect.gen(function*() {
        yield* latest
        yield* repeat(7, () => {
          Object.assign(c, {
            depth: (c["depth"] ?? 0) + 105,
            message_count: (c["message_count"] ?? 0) + 105,
            timeout_count: (c["timeout_count"] ?? 0) + 10
          })
        })
        const [warning, ...others] = yield* warnings
        assert.deepStrictEqual(others, [])
        assert.strictEqual(warning?.kind, "stuck_channel")
        assert.strictEqual(
          warning?.text,
          "Channel c of topic t makes no progress: 735 messages wait, growing 21/s, 60 timeouts and nothing finished in 30 s"
        )
        assert.strictEqual(warning?.detail, "resizer-7 holds 5 in flight, 75 timeouts, 0 finished")
        // The beginning of the time that was observed.
        assert.strictEqual(warning?.since, 0)
        // It ends when something is finished.
        yield* repeat(1, () => Object.assign(c, { depth: (c["depth"] ?? 0) - 50 }))
        assert.notInclude(yield* kinds, "stuck_channel")
      }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c } } }, clients: { "t c": clients } } })))
    })

    it.effect("the warning about a stuck channel remains while one of its nsqds is away and when it is back", () => {
      const c: Record<string, number> = { ...stuck }
      const b = { topics: { t: { channels: { c: { ...stuck } } } }, fails: "" }
      const jam = () =>
        Object.assign(c, {
          depth: (c["depth"] ?? 0) + 100,
          message_count: (c["message_count"] ?? 0) + 100,
          timeout_count: (c["timeout_count"] ?? 0) + 10
        })
      const eachSample = (count: number) =>
        Effect.gen(function*() {
          const found: Array<string> = []
          for (let i = 0; i < count; i++) {
            yield* repeat(1, jam)
            for (const { kind, since } of yield* warnings) if (kind !== "daemon_gone") found.push(`${kind} ${since}`)
          }
          return found
        })
      const remains = (count: number) => Array.from({ length: count }, () => "stuck_channel 0")
      return Effect.gen(function*() {
        yield* latest
        yield* repeat(7, jam)
        b.fails = "connection refused"
        assert.deepStrictEqual(yield* eachSample(3), remains(3))
        b.fails = ""
        assert.deepStrictEqual(yield* eachSample(10), remains(10))
        // While the nsqds change, a drained channel ends it.
        b.fails = "connection refused"
        yield* repeat(1, jam)
        b.fails = ""
        yield* repeat(1, () => {
          Object.assign(c, { depth: 0, in_flight_count: 0 })
          Object.assign(b.topics.t.channels.c, { depth: 0, in_flight_count: 0 })
        })
        assert.deepStrictEqual(yield* kinds, [])
      }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c } } } }, b })))
    })

    it.effect("an nsqd without the channel that comes or goes does not begin its observation anew", () => {
      const c: Record<string, number> = { ...stuck }
      const b = { topics: { other: { channels: { x: {} } } }, fails: "connection refused" }
      return Effect.gen(function*() {
        yield* latest
        yield* repeat(7, () => {
          b.fails = b.fails === "" ? "connection refused" : ""
          Object.assign(c, { depth: (c["depth"] ?? 0) + 100, timeout_count: (c["timeout_count"] ?? 0) + 10 })
        })
        assert.include(yield* kinds, "stuck_channel")
      }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c } } } }, b })))
    })

    it.effect("a channel that grows although it is consumed causes a warning from a depth on", () => {
      const c = { depth: 0, message_count: 0, client_count: 2 }
      return Effect.gen(function*() {
        yield* latest
        yield* repeat(7, () => {
          c.depth += 13
          c.message_count += 20
        })
        assert.deepStrictEqual(yield* kinds, [])
        yield* repeat(1, () => {
          c.depth += 13
          c.message_count += 20
        })
        assert.deepStrictEqual(yield* listed, [[
          "growing_channel",
          "Channel c of topic t grows although 2 consumers are connected: 104 messages wait, growing 2.6/s, 1.4/s finished"
        ]])
        yield* repeat(7, () => {})
        assert.deepStrictEqual(yield* kinds, [])
      }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c } } } } })))
    })

    it.effect("a channel that requeues more than it finishes causes a warning", () => {
      const c = { depth: 50, message_count: 50, requeue_count: 0, client_count: 1 }
      return Effect.gen(function*() {
        yield* latest
        yield* repeat(7, () => {
          c.requeue_count += 10
          c.message_count += 5
        })
        assert.deepStrictEqual(yield* listed, [[
          "requeueing_channel",
          "Channel c of topic t requeues more than it finishes: 2/s requeued, 1/s finished, 50 messages wait"
        ]])
        // Fewer requeues than finished messages are normal.
        yield* repeat(8, () => {
          c.requeue_count += 4
          c.message_count += 5
        })
        assert.deepStrictEqual(yield* kinds, [])
      }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c } } } } })))
    })

    it.effect("consumers that are all not ready on an nsqd while messages wait there cause a warning", () => {
      const idle = { client_id: "a", ready_count: 0 }
      const state = fakeCluster({
        a: { topics: { t: { channels: { c: { depth: 9, client_count: 2 } } } }, clients: { "t c": [idle, idle] } },
        b: {
          topics: { t: { channels: { c: { depth: 0, client_count: 1 } } } },
          clients: { "t c": [{ client_id: "b", ready_count: 0 }] }
        }
      })
      return Effect.gen(function*() {
        yield* passSamples(5)
        assert.deepStrictEqual(yield* kinds, [])
        yield* passSamples(2)
        assert.deepStrictEqual(yield* listed, [[
          "idle_consumers",
          "9 messages wait in channel c of topic t, but all 2 consumers on a:4151 have RDY 0"
        ]])
        idle.ready_count = 1
        yield* passSamples(1)
        assert.deepStrictEqual(yield* kinds, [])
      }).pipe(withCluster(state))
    })

    it.effect("consumers of an nsqd that receive very different numbers of messages cause a warning", () => {
      const fast = { client_id: "fast", remote_address: "x:1", ready_count: 9, message_count: 0, finish_count: 0 }
      const slow = { client_id: "slow", remote_address: "x:2", ready_count: 9, message_count: 3, in_flight_count: 3 }
      const c = { depth: 40, client_count: 2 }
      return Effect.gen(function*() {
        yield* latest
        yield* repeat(8, () => {
          fast.message_count += 10
          fast.finish_count += 10
        })
        assert.deepStrictEqual((yield* warnings).map(({ detail, kind, text }) => [kind, text, detail]), [[
          "uneven_consumers",
          "Consumers of channel c of topic t receive very different numbers of messages on a:4151: fast 2/s, slow 0/s",
          "slow holds 3 in flight, 0 timeouts, 0 finished"
        ]])
      }).pipe(withCluster(
        fakeCluster({ a: { topics: { t: { channels: { c } } }, clients: { "t c": [fast, slow] } } })
      ))
    })

    it.effect("a growing number of deferred messages, and an old message, cause warnings", () => {
      const c = { deferred_count: 90, message_count: 90, client_count: 1 }
      const d = { depth: 1, message_count: 1, client_count: 1 }
      return Effect.gen(function*() {
        yield* latest
        yield* repeat(7, () => {
          c.deferred_count += 10
          c.message_count += 10
        })
        assert.deepStrictEqual(yield* listed, [[
          "growing_deferred",
          "Channel c of topic t defers more and more messages: 160, growing 2/s"
        ]])
        yield* passSamples(12 * 16)
        assert.deepStrictEqual(yield* listed, [[
          "old_messages",
          "The oldest message of channel d of topic t is at least 16 minutes old: 1 message waits"
        ]])
      }).pipe(withCluster(fakeCluster({ a: { topics: { t: { channels: { c, d } } } } })))
    })

    it.effect("an nsqd near its heap limit causes a warning, one of Go near its next collection does not", () => {
      const memory = (heap_objects: number) => ({ heap_objects, heap_in_use_bytes: 3.9e9, next_gc_bytes: 4.2e9 })
      return Effect.gen(function*() {
        assert.deepStrictEqual(yield* listed, [[
          "memory_pressure",
          "nsqd a:4151 uses 92 % of its heap limit: 3.9 GB of 4.2 GB"
        ]])
      }).pipe(withCluster(fakeCluster({
        a: { topics: {}, memory: memory(0) },
        b: { topics: {}, memory: memory(12_345) }
      })))
    })
  })
})

describe("warnings about the machines of nsqds", () => {
  const status = (used_bytes: number, available_bytes: number): NodeStatus =>
    NodeStatus.make({
      version: "1.3.0",
      effect_nsq_version: "0.2.0",
      node_version: "24.0.0",
      health: "OK",
      start_time: 0,
      connection_count: 0,
      memory: {
        rss_bytes: 1e9,
        heap_used_bytes: 0,
        heap_limit_bytes: 4e9,
        external_bytes: 0,
        available_bytes,
        total_bytes: 8e9
      },
      event_loop_delay: null,
      disk: { used_bytes, free_bytes: 100e9 - used_bytes, total_bytes: 100e9 },
      file_descriptors: null,
      drain: null
    })

  it.effect("a full disk and a machine without memory cause warnings, an nsqd that is away does not", () => {
    const c = { topics: {}, status: status(99e9, 1e8), fails: "" }
    const state = fakeCluster({
      a: { topics: {}, status: status(89e9, 4e9) },
      b: { topics: {}, status: status(95e9, 5e8) },
      c
    })
    return Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* listed,
        [
          ["memory_pressure", "The machine of nsqd b:4151 has 0.50 GB of 8.0 GB memory left"],
          ["memory_pressure", "The machine of nsqd c:4151 has 0.10 GB of 8.0 GB memory left"],
          ["disk_pressure", "The disk of nsqd b:4151 is 95 % full: 5.0 GB of 100.0 GB are free"],
          ["disk_pressure", "The disk of nsqd c:4151 is 99 % full: 1.0 GB of 100.0 GB are free"]
        ]
      )
      c.fails = "connection refused"
      yield* passSamples(1)
      assert.deepStrictEqual(yield* kinds, ["daemon_gone", "memory_pressure", "disk_pressure"])
    }).pipe(withCluster(state))
  })

  it.effect("an nsqd whose heap is nearly full is named once", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* kinds, ["memory_pressure"])
      assert.include((yield* listed)[0]?.[1], "heap limit")
    }).pipe(withCluster(fakeCluster({
      a: {
        topics: {},
        status: status(0, 1e8),
        memory: { heap_objects: 0, heap_in_use_bytes: 3.9e9, next_gc_bytes: 4.2e9 }
      }
    }))))
})
