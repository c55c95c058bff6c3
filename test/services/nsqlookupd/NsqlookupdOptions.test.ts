import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as NodeId from "../../../src/services/core/NodeId.ts"
import * as NsqlookupdOptions from "../../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import { configFile } from "../options/demo.ts"
import * as EveryOption from "../options/everyOption.ts"

describe("NsqlookupdOptions", () => {
  EveryOption.test<NsqlookupdOptions.NsqlookupdOptions>(NsqlookupdOptions, {
    logLevel: ["info", "debug", "debug"],
    logPrefix: ["[nsqlookupd] ", "mine ", "mine "],
    logFormat: ["nsq", "json", "json"],
    tcpAddress: ["0.0.0.0:4160", "a:1", "a:1"],
    httpAddress: ["0.0.0.0:4161", "a:2", "a:2"],
    broadcastAddress: [NodeId.hostname(), "lookup.example.com", "lookup.example.com"],
    inactiveProducerTimeout: [Duration.minutes(5), "1s", Duration.seconds(1)],
    tombstoneLifetime: [Duration.seconds(45), "0", Duration.zero],
    maxHttpConnections: [10_000, "0", 0],
    httpAllowedHosts: [[], "*", ["*"]],
    maxRegistrationsPerProducer: [100_000, "1", 1],
    maxRegistrations: [1_000_000, "2", 2],
    maxUnusedNames: [100_000, "3", 3],
    unusedNameLifetime: [Duration.hours(168), "1h", Duration.hours(1)]
  })

  it.effect("the Layer changes only the given options, and without it services read NSQ's defaults", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* NsqlookupdOptions.NsqlookupdOptions, NsqlookupdOptions.defaults())
      const changed = yield* Effect.provide(
        Effect.service(NsqlookupdOptions.NsqlookupdOptions),
        NsqlookupdOptions.layer({ maxUnusedNames: 5 })
      )
      assert.deepStrictEqual(changed, { ...NsqlookupdOptions.defaults(), maxUnusedNames: 5 })
    }))

  it.effect("--verbose is accepted with a warning, as a flag and as a config key", () =>
    Effect.gen(function*() {
      const path = yield* configFile("verbose = true\n")
      const settings = yield* NsqlookupdOptions.fromCommandLine(["--verbose", `--config=${path}`], {})
      assert.deepStrictEqual(settings, {
        options: NsqlookupdOptions.defaults(),
        warnings: [
          "--verbose is deprecated and has no effect, use --log-level",
          "verbose in the config file is deprecated and has no effect"
        ]
      })
    }))

  it.effect("a timeout that would hide every producer is refused, while tombstones may be disabled", () =>
    Effect.gen(function*() {
      const check = (changes: Partial<NsqlookupdOptions.NsqlookupdOptions>) =>
        NsqlookupdOptions.check({ ...NsqlookupdOptions.defaults(), ...changes })
      yield* check({})
      yield* check({ inactiveProducerTimeout: Duration.nanos(1n), tombstoneLifetime: Duration.zero })
      assert.strictEqual(
        (yield* Effect.flip(check({ inactiveProducerTimeout: Duration.zero }))).message,
        "--inactive-producer-timeout must be greater than 0, otherwise every producer is hidden"
      )
    }))
})
