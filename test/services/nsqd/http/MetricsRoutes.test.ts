import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { consume } from "../../../../src/broker.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { type Api, outcome, serve } from "./api.ts"

const sampleLine = /^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (\d+(\.\d+)?([eE][+-]?\d+)?)$/
const commentLine = /^# (HELP|TYPE) ([a-z_]+) .+$/

const scrape = ({ request }: Api, query = "") =>
  Effect.map(request("GET", `/metrics${query}`), ({ text }) => text.trimEnd().split("\n"))

/** The samples of topics and channels. */
const ofTopics = (lines: ReadonlyArray<string>) => lines.filter((line) => line.includes("topic=\""))

const create = ({ request }: Api, topic: string, ...channels: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    yield* request("POST", `/topic/create?topic=${encodeURIComponent(topic)}`, "")
    for (const channel of channels) {
      const query = `topic=${encodeURIComponent(topic)}&channel=${encodeURIComponent(channel)}`
      yield* request("POST", `/channel/create?${query}`, "")
    }
  })

describe("/metrics", () => {
  it.live("/metrics has counters and gauges of topics and channels", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* create(api, "t", "c")
      yield* api.request("POST", "/mpub?topic=t", "ab\ncde")
      yield* api.request("POST", "/channel/pause?topic=t&channel=c", "")
      const channel = (name: string, value: number) => `nsqd_channel_${name}{topic="t",channel="c"} ${value}`
      assert.deepStrictEqual(ofTopics(yield* scrape(api)).toSorted(), [
        channel("backend_depth", 0),
        channel("clients", 0),
        channel("deferred_messages", 0),
        channel("depth", 2),
        channel("in_flight_messages", 0),
        channel("messages_total", 2),
        channel("paused", 1),
        channel("requeues_total", 0),
        channel("timeouts_total", 0),
        "nsqd_topic_backend_depth{topic=\"t\"} 0",
        "nsqd_topic_channels{topic=\"t\"} 1",
        "nsqd_topic_depth{topic=\"t\"} 0",
        "nsqd_topic_message_bytes_total{topic=\"t\"} 5",
        "nsqd_topic_messages_total{topic=\"t\"} 2",
        "nsqd_topic_paused{topic=\"t\"} 0"
      ])
    }))

  it.live("/metrics is well-formed: every sample belongs to the family above it, and no family is repeated", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* create(api, "a", "c", "d")
      yield* create(api, "b", "c")
      const answer = yield* api.request("GET", "/metrics")
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
      const families: Array<string> = []
      for (const line of answer.text.trimEnd().split("\n")) {
        const [, kind, name = ""] = commentLine.exec(line) ?? []
        if (kind === "HELP") families.push(name)
        else if (kind === "TYPE") assert.strictEqual(name, families.at(-1))
        else {
          assert.match(line, sampleLine)
          assert.strictEqual(line.replace(/[{ ].*/, ""), families.at(-1))
        }
      }
      assert.strictEqual(new Set(families).size, families.length)
      for (const name of ["nsqd_info", "nsqd_healthy", "process_resident_memory_bytes", "nodejs_gc_runs_total"]) {
        assert.include(families, name)
      }
    }))

  it.live("/metrics has the latency from publishing to FIN, from the first request on", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const finishOne = Effect.gen(function*() {
        yield* api.request("POST", "/pub?topic=t", "x")
        yield* consume("t", "c").pipe(
          Stream.tap((delivery) => delivery.finish),
          Stream.take(1),
          Stream.runDrain,
          Effect.provideService(Broker, api.broker)
        )
      })
      const latencies = (lines: ReadonlyArray<string>) => lines.filter((line) => line.includes("latency_seconds"))
      yield* finishOne
      assert.deepStrictEqual(latencies(yield* scrape(api)), [])
      yield* finishOne
      const lines = latencies(yield* scrape(api))
      const name = "nsqd_channel_message_latency_seconds"
      assert.include(lines, `# TYPE ${name} histogram`)
      assert.include(lines, `${name}_bucket{topic="t",channel="c",le="3600"} 1`)
      assert.include(lines, `${name}_bucket{topic="t",channel="c",le="+Inf"} 1`)
      assert.include(lines, `${name}_count{topic="t",channel="c"} 1`)
      assert.isTrue(lines.some((line) => line.startsWith(`${name}_sum{topic="t",channel="c"} `)))
    }))

  it.live("/metrics omits ephemeral topics and channels unless ?ephemeral=true", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* create(api, "t", "kept", "gone#ephemeral")
      yield* create(api, "gone#ephemeral")
      const usual = yield* scrape(api)
      assert.isFalse(usual.some((line) => line.includes("ephemeral\"")))
      assert.include(usual, "nsqd_topics 2")
      assert.include(usual, "nsqd_channels 2")
      const all = yield* scrape(api, "?ephemeral=true")
      assert.include(all, "nsqd_topic_depth{topic=\"gone#ephemeral\"} 0")
      assert.include(all, "nsqd_channel_depth{topic=\"t\",channel=\"gone#ephemeral\"} 0")
    }))

  it.live("requests for /metrics are not logged", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* scrape(api)
      yield* api.request("GET", "/ready")
      assert.isFalse(api.log.some((line) => line.includes("/metrics") || line.includes("/ready")))
    }))
})

describe("/ready", () => {
  it.live("/ready responds with 503 while the daemon starts or stops", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const ready = Effect.map(api.request("GET", "/ready"), outcome)
      assert.strictEqual(yield* ready, "503 NOT READY - starting")
      api.daemon.running()
      assert.strictEqual(yield* ready, "200 OK")
      api.daemon.stopping()
      assert.strictEqual(yield* ready, "503 NOT READY - stopping")
      assert.strictEqual(outcome(yield* api.request("GET", "/ping")), "200 OK")
    }))

  it.live("/ready responds with 503 while messages cannot be written to disk", () =>
    Effect.gen(function*() {
      const api = yield* serve({}, undefined, "disk full")
      api.daemon.running()
      assert.strictEqual(outcome(yield* api.request("GET", "/ready")), "503 NOT READY - disk full")
      assert.include(yield* scrape(api), "nsqd_healthy 0")
    }))
})
