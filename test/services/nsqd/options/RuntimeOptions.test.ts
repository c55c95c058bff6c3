import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as LogThreshold from "../../../../src/services/logging/LogThreshold.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as RuntimeOptions from "../../../../src/services/nsqd/options/RuntimeOptions.ts"

const layer = RuntimeOptions.RuntimeOptions.layer.pipe(
  Layer.provideMerge(Layer.sync(LogThreshold.LogThreshold, () => LogThreshold.make("info"))),
  Layer.provide(NsqdOptions.layer({ broadcastAddress: "10.0.0.1", broadcastTcpPort: 7 }))
)

const run = <A, E>(
  body: (runtime: RuntimeOptions.RuntimeOptions["Service"]) => Effect.Effect<A, E, RuntimeOptions.RuntimeOptions>
) => RuntimeOptions.RuntimeOptions.use(body).pipe(Effect.provide(Layer.fresh(layer)))

describe("RuntimeOptions", () => {
  it.effect("get returns the current value of an option", () =>
    run(Effect.fnUntraced(function*(runtime) {
      assert.deepStrictEqual(yield* runtime.get("mem_queue_size"), { _tag: "Json", json: 10_000 })
      assert.strictEqual((yield* Effect.flip(runtime.get("none"))).reason._tag, "UnknownOption")
    })))

  it.effect("put changes the log level at once, in any letter case but not in quotes", () =>
    run(Effect.fnUntraced(function*(runtime) {
      const threshold = yield* LogThreshold.LogThreshold
      assert.isFalse(threshold.allows("debug"))
      assert.deepStrictEqual(yield* runtime.put("log_level", "DEBUG"), { _tag: "Json", json: 1 })
      assert.isTrue(threshold.allows("debug"))
      for (const bad of ["verbose", "warning", "2", "\"info\"", " info", "info\n"]) {
        assert.strictEqual((yield* Effect.flip(runtime.put("log_level", bad))).reason._tag, "InvalidValue")
      }
      assert.strictEqual((yield* runtime.current).logLevel, "debug")
    })))

  it.effect("put changes the nsqlookupd addresses by a JSON list of strings", () =>
    run(Effect.fnUntraced(function*(runtime) {
      const key = "nsqlookupd_tcp_addresses"
      assert.deepStrictEqual(yield* runtime.put(key, "[\"a:1\"]"), { _tag: "Json", json: ["a:1"] })
      for (const bad of ["x", "{}", "\"a:1\"", "[1]", "[\"a:1\"", "12"]) {
        assert.strictEqual((yield* Effect.flip(runtime.put(key, bad))).reason._tag, "InvalidValue")
      }
      assert.deepStrictEqual(yield* runtime.get(key), { _tag: "Json", json: ["a:1"] })
      assert.deepStrictEqual(yield* runtime.put(key, "null"), { _tag: "Json", json: [] })
    })))

  it.effect("put changes no other option", () =>
    run(Effect.fnUntraced(function*(runtime) {
      for (const key of ["none", "mem_queue_size", "logLevel"]) {
        assert.strictEqual((yield* Effect.flip(runtime.put(key, "1"))).reason._tag, "UnknownOption")
      }
    })))

  it.effect("listening sets the announced ports and the statsd prefix", () =>
    run(Effect.fnUntraced(function*(runtime) {
      yield* runtime.listening({ tcp: 4150, http: 4151 })
      assert.deepStrictEqual(yield* runtime.get("broadcast_tcp_port"), { _tag: "Json", json: 7 })
      assert.deepStrictEqual(yield* runtime.get("broadcast_http_port"), { _tag: "Json", json: 4151 })
      assert.deepStrictEqual(yield* runtime.get("statsd_prefix"), { _tag: "Text", text: "nsq.10_0_0_1_4151." })
    })))
})
