import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NsqdConfig from "../../../../src/services/nsqd/options/NsqdConfig.ts"
import * as NsqdFlags from "../../../../src/services/nsqd/options/NsqdFlags.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as Environment from "../../../../src/services/options/Environment.ts"

const configFile = (text: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "config-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    ),
    (directory) => {
      const path = join(directory, "nsqd.cfg")
      writeFileSync(path, text)
      return path
    }
  )

const settle = (environment: Environment.Environment, ...flags: ReadonlyArray<string>) =>
  NsqdConfig.settle(Result.getOrThrow(NsqdFlags.parse(flags)), environment)

describe("NsqdConfig", () => {
  it.effect("flags override the environment, the environment overrides the config file, and other options keep their defaults", () =>
    Effect.gen(function*() {
      const path = yield* configFile("mem_queue_size = 1\nmax_rdy_count = 1\nmax_deflate_level = 1\nsnappy = false\n")
      const environment = { NSQD_MEM_QUEUE_SIZE: "2", NSQD_MAX_RDY_COUNT: "2" }
      const { given } = yield* settle(environment, "--mem-queue-size=3", "--config", path, "--snappy=true")
      assert.deepStrictEqual(given, { memQueueSize: 3, maxRdyCount: 2, maxDeflateLevel: 1, snappy: true })
    }))

  it.effect("a flag set to its default value still overrides environment and config file", () =>
    Effect.gen(function*() {
      const path = yield* configFile("mem_queue_size = 1\n")
      const { given } = yield* settle({ NSQD_MEM_QUEUE_SIZE: "2" }, "--mem-queue-size=10000", `--config=${path}`)
      assert.deepStrictEqual(given, { memQueueSize: 10_000 })
    }))

  it.effect("a list of higher precedence replaces the others and is not merged", () =>
    Effect.gen(function*() {
      const path = yield* configFile("nsqlookupd_tcp_addresses = [\"file:1\"]\n")
      const flags = ["--lookupd-tcp-address=flag:1", "--lookupd-tcp-address=flag:2", `--config=${path}`]
      const variables = { NSQD_LOOKUPD_TCP_ADDRESS: "env:1,env:2" }
      assert.deepStrictEqual((yield* settle(variables, ...flags)).given.lookupdTcpAddresses, ["flag:1", "flag:2"])
      const { given } = yield* settle(variables, `--config=${path}`)
      assert.deepStrictEqual(given.lookupdTcpAddresses, ["env:1", "env:2"])
    }))

  it.effect("the config file is named by the flag, or else by the environment variable", () =>
    Effect.gen(function*() {
      const path = yield* configFile("id = 1\n")
      const other = yield* configFile("id = 2\n")
      assert.deepStrictEqual((yield* settle({ NSQD_CONFIG: path })).given, { nodeId: 1 })
      assert.deepStrictEqual((yield* settle({ NSQD_CONFIG: path }, `--config=${other}`)).given, { nodeId: 2 })
      assert.deepStrictEqual((yield* settle({ NSQD_CONFIG: path }, "--config=")).given, {})
    }))

  it.effect("options without effect cause a warning that gives the reason", () =>
    Effect.gen(function*() {
      const { warnings } = yield* settle(
        { NSQD_QUEUE_SCAN_SELECTION_COUNT: "3" },
        "--queue-scan-worker-pool-max=4",
        "--verbose",
        "--worker-id"
      )
      assert.deepStrictEqual(warnings, [
        "--verbose is deprecated and has no effect, use --log-level",
        "--worker-id is deprecated and has no effect, use --node-id",
        "--queue-scan-worker-pool-max has no effect: timeouts are driven by timers, not by scan workers",
        "--queue-scan-selection-count has no effect: the timeouts of all channels are tracked, not those of a selection"
      ])
      assert.deepStrictEqual((yield* settle({})).warnings, [])
    }))

  it.effect("unknown experiments cause a warning", () =>
    Effect.gen(function*() {
      const flags = ["--enable-experiment=topology-aware-consumption", "--enable-experiment=more"]
      assert.deepStrictEqual((yield* settle({}, ...flags)).warnings, [
        "--enable-experiment=more has no effect: unknown experiment"
      ])
    }))

  it.effect("an invalid value is reported with its file or variable", () =>
    Effect.gen(function*() {
      const path = yield* configFile("nope = 1\n")
      const file = yield* Effect.flip(settle({}, `--config=${path}`))
      assert.strictEqual(file.message, `failed to load config file ${path} - unknown key "nope"`)
      const variable = yield* Effect.flip(settle({ NSQD_DEFLATE: "maybe" }))
      assert.strictEqual(variable.message, "failed to read the environment - NSQD_DEFLATE: parse error")
    }))
})

describe("Environment", () => {
  const read = (environment: Environment.Environment) => Environment.read(NsqdOptions.table, "nsqd", environment)

  it("every option has an environment variable named after its flag", () => {
    for (const { flag } of Object.values(NsqdOptions.table)) {
      assert.match(Environment.variable("nsqd", flag), /^NSQD_[A-Z0-9_]+$/)
    }
    assert.deepStrictEqual(
      Result.getOrThrow(read({ NSQD_NODE_ID: "7", NSQD_E2E_PROCESSING_LATENCY_PERCENTILE: "1,0.5" })),
      {
        nodeId: 7,
        e2eProcessingLatencyPercentiles: [1, 0.5]
      }
    )
    assert.deepStrictEqual(Result.getOrThrow(read({ NSQD_MSG_TIMEOUT: "5s" })), { msgTimeout: Duration.seconds(5) })
  })

  it("an empty variable means the empty string or list, like an empty flag", () => {
    assert.deepStrictEqual(Result.getOrThrow(read({ NSQD_HTTP_ADDRESS: "", NSQD_AUTH_HTTP_ADDRESS: "" })), {
      httpAddress: "",
      authHttpAddresses: []
    })
    assert.isTrue(Result.isFailure(read({ NSQD_MEM_QUEUE_SIZE: "" })))
  })

  it("variables that only share the prefix are ignored", () => {
    const kubernetes = {
      NSQD_PORT: "tcp://10.0.0.1:4150",
      NSQD_SERVICE_HOST: "10.0.0.1",
      NSQD_PORT_4150_TCP_ADDR: "10.0.0.1",
      nsqd_node_id: "5"
    }
    assert.deepStrictEqual(Result.getOrThrow(read(kubernetes)), {})
  })
})
