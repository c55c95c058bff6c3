import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result } from "effect"
import * as NodeId from "../../../../src/services/core/NodeId.ts"
import * as NsqdFlags from "../../../../src/services/nsqd/options/NsqdFlags.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as NsqdOptionsCheck from "../../../../src/services/nsqd/options/NsqdOptionsCheck.ts"

const command = (...args: ReadonlyArray<string>) => Result.getOrThrow(NsqdFlags.parse(args))
const options = (...args: ReadonlyArray<string>) => ({ ...NsqdOptions.defaults(), ...command(...args).given })
const config = (key: string, ...args: ReadonlyArray<string>) => {
  const value = NsqdOptions.renderConfigValue(options(...args), key)
  return value?._tag === "Text" ? value.text : value?.json
}

describe("NsqdOptions", () => {
  it.effect("NsqdOptions defaults to NSQ's defaults", () =>
    Effect.gen(function*() {
      const { memQueueSize, msgTimeout, requeueOnDisconnect, tcpAddress } = yield* NsqdOptions.NsqdOptions
      assert.deepStrictEqual([tcpAddress, memQueueSize, requeueOnDisconnect], ["0.0.0.0:4150", 10_000, true])
      assert.isTrue(Duration.equals(msgTimeout, Duration.minutes(1)))
    }))

  it.effect("NsqdOptions.layer changes only the given options", () =>
    Effect.gen(function*() {
      const { maxRdyCount, memQueueSize } = yield* NsqdOptions.NsqdOptions
      assert.deepStrictEqual([memQueueSize, maxRdyCount], [1, 2500])
    }).pipe(Effect.provide(NsqdOptions.layer({ memQueueSize: 1 }))))

  it("the default node id is derived from the hostname", () => {
    assert.strictEqual(NodeId.fromHostname("localhost"), 16)
    assert.strictEqual(options().nodeId, NodeId.fromHostname(NodeId.hostname()))
  })

  it("flags and config keys are unique", () => {
    const rows = Object.values(NsqdOptions.table)
    assert.strictEqual(new Set(rows.map((row) => row.flag)).size, rows.length)
    assert.strictEqual(new Set(rows.map((row) => row.key)).size, rows.length)
  })

  it("/config values are strings as text and everything else as JSON, durations in nanoseconds", () => {
    assert.strictEqual(config("tcp_address"), "0.0.0.0:4150")
    assert.strictEqual(config("topology_region"), "")
    assert.strictEqual(config("output_buffer_timeout"), 250e6)
    assert.strictEqual(config("max_req_timeout", "--max-req-timeout=36h"), 129_600e9)
    assert.strictEqual(config("min_output_buffer_timeout", "--min-output-buffer-timeout=1500us"), 1.5e6)
    assert.strictEqual(config("id", "--node-id=7"), 7)
    assert.strictEqual(config("log_level"), 2)
    assert.strictEqual(config("log_level", "--log-level=ERROR"), 4)
    assert.strictEqual(config("tls_required"), 0)
    assert.strictEqual(config("tls_required", "--tls-required=tcp-https"), 1)
    assert.strictEqual(config("tls_required", "--tls-required"), 2)
    assert.strictEqual(config("tls_min_version"), 771)
    assert.strictEqual(config("tls_min_version", "--tls-min-version=TLS1.3"), 772)
    assert.deepStrictEqual(config("nsqlookupd_tcp_addresses"), [])
    assert.strictEqual(config("node_id"), undefined)
    assert.strictEqual(config("mem-queue-size"), undefined)
  })

  it("repeated list flags add up, and percentiles are sorted from high to low", () => {
    assert.deepStrictEqual(config("auth_http_addresses", "--auth-http-address=a", "-auth-http-address", "b"), [
      "a",
      "b"
    ])
    const percentiles = ["--e2e-processing-latency-percentile=0.5", "--e2e-processing-latency-percentile=0.99,0.95"]
    assert.deepStrictEqual(config("e2e_processing_latency_percentiles", ...percentiles), [0.99, 0.95, 0.5])
  })

  it("the last occurrence of a repeated flag wins, also under its old name", () => {
    assert.strictEqual(config("max_msg_size", "--max-msg-size=1", "--max-message-size=2"), 2)
    assert.strictEqual(config("max_msg_size", "--max-message-size=2", "--max-msg-size=1"), 1)
    assert.deepStrictEqual(command("--max-message-size=2").warnings, [
      "--max-message-size is deprecated, use --max-msg-size"
    ])
  })

  it("deprecated switches are accepted without effect", () => {
    const { given, warnings } = command("--verbose", "--worker-id")
    assert.deepStrictEqual(given, {})
    assert.strictEqual(warnings.length, 2)
    const refused = NsqdFlags.parse(["--worker-id=5"])
    assert.strictEqual(
      Result.isFailure(refused) && refused.failure._tag === "UsageError" && refused.failure.message,
      "invalid boolean value \"5\" for -worker-id: parse error"
    )
  })

  it("the parsed command has --version and --config", () => {
    assert.isFalse(command().version)
    assert.isTrue(command("-version").version)
    assert.isFalse(command("--version=false").version)
    assert.strictEqual(command("--config", "x").config, "x")
  })

  it("invalid options are reported with NSQ's texts", () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      ["--max-deflate-level=0", "--max-deflate-level must be [1,9]"],
      ["--max-deflate-level=10", "--max-deflate-level must be [1,9]"],
      ["--node-id=1024", "--node-id must be [0,1024)"],
      ["--node-id=-1", "--node-id must be [0,1024)"],
      ["--tls-required", "cannot require TLS client connections without TLS key and cert"],
      ["--tls-client-auth-policy=require", "cannot require TLS client connections without TLS key and cert"],
      ["--auth-http-request-method=put", "--auth-http-request-method must be post or get"],
      ["--e2e-processing-latency-percentile=1.5", "invalid E2E processing latency percentile: 1.5"],
      ["--e2e-processing-latency-percentile=nan", "invalid E2E processing latency percentile: NaN"],
      ["--e2e-processing-latency-percentile=0", "invalid E2E processing latency percentile: 0"]
    ]
    for (const [flag, detail] of cases) assert.strictEqual(NsqdOptionsCheck.problem(options(flag)), detail)
    const statsd = options("--statsd-address=a:1", "--statsd-interval=0s")
    assert.strictEqual(NsqdOptionsCheck.problem(statsd), "--statsd-interval must be greater than 0")
    for (const flag of ["--node-id=0", "--node-id=1023", "--max-deflate-level=9"]) {
      assert.strictEqual(NsqdOptionsCheck.problem(options(flag)), undefined)
    }
  })
})
