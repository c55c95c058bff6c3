import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as NodeId from "../../../../src/services/core/NodeId.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { configFile } from "../../options/demo.ts"
import * as EveryOption from "../../options/everyOption.ts"

const settle = (...args: ReadonlyArray<string>) => NsqdOptions.fromCommandLine(args, {})
const { hours, millis, minutes, seconds } = Duration

describe("NsqdOptions", () => {
  EveryOption.test<NsqdOptions.NsqdOptions>(NsqdOptions, {
    logLevel: ["info", "ERROR", "error"],
    logPrefix: ["[nsqd] ", "mine ", "mine "],
    logFormat: ["nsq", "json", "json"],
    nodeId: [NodeId.fromHostname(NodeId.hostname()), "1023", 1023],
    tcpAddress: ["0.0.0.0:4150", "a:1", "a:1"],
    httpAddress: ["0.0.0.0:4151", "", ""],
    httpsAddress: ["0.0.0.0:4152", "a:2", "a:2"],
    broadcastAddress: [NodeId.hostname(), "nsqd.example.com", "nsqd.example.com"],
    broadcastTcpPort: [0, "1", 1],
    broadcastHttpPort: [0, "2", 2],
    lookupdTcpAddresses: [[], "lookupd:4160", ["lookupd:4160"]],
    allowedDaemonNetworks: [[], "10.0.0.0/8", ["10.0.0.0/8"]],
    authHttpAddresses: [[], "auth:80", ["auth:80"]],
    authHttpRequestMethod: ["get", "post", "post"],
    httpClientConnectTimeout: [seconds(2), "1s", seconds(1)],
    httpClientRequestTimeout: [seconds(5), "1m", minutes(1)],
    topologyRegion: ["", "r", "r"],
    topologyZone: ["", "z", "z"],
    dataPath: ["", "/data", "/data"],
    durability: ["memory", "synced", "synced"],
    topicDurability: [[], "orders.*=synced", ["orders.*=synced"]],
    segmentSize: [67_108_864, "65536", 65_536],
    policies: [[], "orders.*:max_depth=5", [{ match: "orders.*", max_depth: 5 }]],
    minFreeBytes: [67_108_864, "0", 0],
    memQueueSize: [10_000, "0", 0],
    maxBytesPerFile: [104_857_600, "0x1000", 4096],
    syncEvery: [2500, "1", 1],
    syncTimeout: [seconds(2), "250ms", millis(250)],
    queueScanWorkerPoolMax: [4, "1", 1],
    queueScanSelectionCount: [20, "1", 1],
    msgTimeout: [minutes(1), "90s", seconds(90)],
    maxMsgTimeout: [minutes(15), "36h", hours(36)],
    maxMsgSize: [1_048_576, "1_000", 1000],
    maxBodySize: [5_242_880, "2000", 2000],
    maxIdentifySize: [65_536, "1000", 1000],
    maxReqTimeout: [hours(1), "2h", hours(2)],
    maxConnections: [0, "5", 5],
    maxHttpConnections: [10_000, "0", 0],
    maxHttpConsumers: [1000, "0", 0],
    httpAllowedHosts: [[], "*", ["*"]],
    maxHeartbeatInterval: [minutes(1), "2m", minutes(2)],
    maxRdyCount: [2500, "1", 1],
    maxOutputBufferSize: [65_536, "70000", 70_000],
    maxOutputBufferTimeout: [seconds(30), "1s", seconds(1)],
    minOutputBufferTimeout: [millis(25), "1500us", Duration.micros(1500n)],
    outputBufferTimeout: [millis(250), "1s", seconds(1)],
    maxChannelConsumers: [0, "6", 6],
    maxTopics: [50_000, "0", 0],
    maxChannelsPerTopic: [10_000, "0", 0],
    ephemeralTopicLifetime: [minutes(10), "0", Duration.zero],
    drainOnTerm: [false, "true", true],
    drainTimeout: [minutes(1), "0", Duration.zero],
    requeueOnDisconnect: [true, "false", false],
    statsdAddress: ["", "a:8125", "a:8125"],
    statsdPrefix: ["nsq.%s", "x", "x"],
    statsdInterval: [minutes(1), "10s", seconds(10)],
    statsdMemStats: [true, "F", false],
    statsdUdpPacketSize: [508, "900", 900],
    statsdExcludeEphemeral: [false, "T", true],
    e2eProcessingLatencyPercentiles: [[], "1,0.5", [1, 0.5]],
    e2eProcessingLatencyWindowTime: [minutes(10), "5m", minutes(5)],
    otlpEndpoint: ["", "http://a", "http://a"],
    tlsCert: ["", "cert.pem", "cert.pem"],
    tlsKey: ["", "key.pem", "key.pem"],
    tlsClientAuthPolicy: ["", "require", "require"],
    tlsRootCaFile: ["", "ca.pem", "ca.pem"],
    tlsRequired: [false, "tcp-https", "tcp-https"],
    tlsMinVersion: ["TLSv1.2", "TLS1.3", "TLSv1.3"],
    deflate: [true, "0", false],
    maxDeflateLevel: [6, "9", 9],
    snappy: [true, "false", false],
    enableExperiment: [[], "topology-aware-consumption", ["topology-aware-consumption"]]
  })

  it("the usage text shows defaults as the flags accept them, and explains what a flag depends on", () => {
    const help = (flag: string) => new RegExp(`\n  -${flag} .*\n +\t(.*)\n`).exec(NsqdOptions.usage())?.[1] ?? ""
    assert.match(help("tls-min-version"), /\(default tls1\.2\)$/)
    assert.match(help("sync-every"), /messages .*fsync.* 1 syncs .*\(default 2500\)$/)
    assert.match(
      help("https-address"),
      /--tls-cert and a --tls-key; empty disables HTTPS \(default "0\.0\.0\.0:4152"\)$/
    )
    assert.match(help("topology-region"), /--enable-experiment=topology-aware-consumption/)
  })

  it.effect("services read NSQ's defaults if no options are provided", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* NsqdOptions.NsqdOptions, NsqdOptions.defaults())
    }))

  it.effect("the Layer changes only the given options", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* NsqdOptions.NsqdOptions, { ...NsqdOptions.defaults(), memQueueSize: 1 })
    }).pipe(Effect.provide(NsqdOptions.layer({ memQueueSize: 1 }))))

  it("the default node id is derived from the hostname", () => {
    assert.strictEqual(NodeId.fromHostname("localhost"), 16)
  })

  it.effect("repeated list flags accumulate, and percentiles are sorted from high to low", () =>
    Effect.gen(function*() {
      const { options } = yield* settle(
        "--auth-http-address=a",
        "-auth-http-address",
        "b",
        "--e2e-processing-latency-percentile=0.5",
        "--e2e-processing-latency-percentile=0.99,0.95"
      )
      assert.deepStrictEqual(options.authHttpAddresses, ["a", "b"])
      assert.deepStrictEqual(options.e2eProcessingLatencyPercentiles, [0.99, 0.95, 0.5])
    }))

  it.effect("a log level, a TLS version, a TLS requirement and a percentile that are not valid are refused", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [string, string]> = [
        [
          "--log-level=loud",
          "invalid value \"loud\" for flag -log-level: invalid log level 'loud' (debug, info, warn, error, fatal)"
        ],
        [
          "--tls-min-version=tls9",
          "invalid value \"tls9\" for flag -tls-min-version: unknown tlsVersionOption \"tls9\""
        ],
        [
          "--tls-required=maybe",
          "invalid boolean value \"maybe\" for -tls-required: strconv.ParseBool: parsing \"maybe\": invalid syntax"
        ],
        ["--e2e-processing-latency-percentile=high", "Could not parse: high"]
      ]
      for (const [flag, message] of cases) assert.strictEqual((yield* Effect.flip(settle(flag))).message, message)
    }))

  it.effect("the deprecated names of an option and deprecated switches are accepted with a warning", () =>
    Effect.gen(function*() {
      const { options, warnings } = yield* settle("--verbose", "--max-message-size=2", "--worker-id")
      assert.deepStrictEqual(options, { ...NsqdOptions.defaults(), maxMsgSize: 2 })
      assert.deepStrictEqual(warnings, [
        "--verbose is deprecated and has no effect, use --log-level",
        "--max-message-size is deprecated, use --max-msg-size",
        "--worker-id is deprecated and has no effect, use --node-id"
      ])
      const { message } = yield* Effect.flip(settle("--worker-id=5"))
      assert.strictEqual(message, "invalid boolean value \"5\" for -worker-id: parse error")
      const path = yield* configFile("max_message_size = 3\nverbose = true\nworker_id = 1\n")
      const file = yield* settle(`--config=${path}`)
      assert.strictEqual(file.options.maxMsgSize, 3)
      assert.strictEqual(file.warnings.length, 3)
    }))

  it.effect("options without effect cause a warning that gives the reason", () =>
    Effect.gen(function*() {
      const environment = { NSQD_QUEUE_SCAN_SELECTION_COUNT: "3" }
      const { warnings } = yield* NsqdOptions.fromCommandLine(["--queue-scan-worker-pool-max=4"], environment)
      assert.deepStrictEqual(warnings, [
        "--queue-scan-worker-pool-max has no effect: timeouts are driven by timers, not by scan workers",
        "--queue-scan-selection-count has no effect: the timeouts of all channels are tracked, not those of a selection"
      ])
    }))

  it.effect("unknown experiments cause a warning", () =>
    Effect.gen(function*() {
      const { warnings } = yield* settle(
        "--enable-experiment=topology-aware-consumption",
        "--enable-experiment=more"
      )
      assert.deepStrictEqual(warnings, ["--enable-experiment=more has no effect: unknown experiment"])
    }))

  it.effect("/config values are strings as text and everything else as JSON, durations in nanoseconds", () =>
    Effect.gen(function*() {
      const config = (key: string, ...args: ReadonlyArray<string>) =>
        Effect.map(settle(...args), ({ options }) => {
          const value = NsqdOptions.renderConfigValue(options, key)
          return value?._tag === "Text" ? value.text : value?.json
        })
      assert.strictEqual(yield* config("tcp_address"), "0.0.0.0:4150")
      assert.strictEqual(yield* config("topology_region"), "")
      assert.strictEqual(yield* config("output_buffer_timeout"), 250e6)
      assert.strictEqual(yield* config("max_req_timeout", "--max-req-timeout=36h"), 129_600e9)
      assert.strictEqual(yield* config("min_output_buffer_timeout", "--min-output-buffer-timeout=1500us"), 1.5e6)
      assert.strictEqual(yield* config("id", "--node-id=7"), 7)
      assert.strictEqual(yield* config("log_level"), 2)
      assert.strictEqual(yield* config("log_level", "--log-level=ERROR"), 4)
      assert.strictEqual(yield* config("tls_required"), 0)
      assert.strictEqual(yield* config("tls_required", "--tls-required=tcp-https"), 1)
      assert.strictEqual(yield* config("tls_required", "--tls-required"), 2)
      assert.strictEqual(yield* config("tls_min_version"), 771)
      assert.strictEqual(yield* config("tls_min_version", "--tls-min-version=TLS1.3"), 772)
      assert.deepStrictEqual(yield* config("nsqlookupd_tcp_addresses"), [])
      assert.strictEqual(yield* config("node_id"), undefined)
      assert.strictEqual(yield* config("mem-queue-size"), undefined)
    }))
})
