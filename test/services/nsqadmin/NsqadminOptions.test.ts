import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as NsqadminOptions from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { configFile } from "../options/demo.ts"
import * as EveryOption from "../options/everyOption.ts"

describe("NsqadminOptions", () => {
  EveryOption.test<NsqadminOptions.NsqadminOptions>(NsqadminOptions, {
    logLevel: ["info", "warn", "warn"],
    logPrefix: ["[nsqadmin] ", "mine ", "mine "],
    logFormat: ["nsq", "json", "json"],
    httpAddress: ["0.0.0.0:4171", "a:1", "a:1"],
    basePath: ["/", "/nsq", "/nsq"],
    devStaticDir: ["", "dist/web", "dist/web"],
    graphiteUrl: ["", "http://graphite", "http://graphite"],
    proxyGraphite: [false, "true", true],
    statsdCounterFormat: ["stats.counters.%s.count", "%s", "%s"],
    statsdGaugeFormat: ["stats.gauges.%s", "%s", "%s"],
    statsdPrefix: ["nsq.%s", "x", "x"],
    statsdInterval: [Duration.minutes(1), "10s", Duration.seconds(10)],
    notificationHttpEndpoint: ["", "http://audit", "http://audit"],
    alertWebhooks: [[], "http://pager", ["http://pager"]],
    httpClientConnectTimeout: [Duration.seconds(2), "1s", Duration.seconds(1)],
    httpClientRequestTimeout: [Duration.seconds(5), "1m", Duration.minutes(1)],
    httpClientTlsInsecureSkipVerify: [false, "true", true],
    httpClientTlsRootCaFile: ["", "ca.pem", "ca.pem"],
    httpClientTlsCert: ["", "cert.pem", "cert.pem"],
    httpClientTlsKey: ["", "key.pem", "key.pem"],
    allowConfigFromCidr: ["127.0.0.1/8", "10.0.0.0/8", "10.0.0.0/8"],
    aclHttpHeader: ["X-Forwarded-User", "X-User", "X-User"],
    adminUsers: [[], "ann", ["ann"]],
    lookupdHttpAddresses: [[], "a:4161", ["a:4161"]],
    nsqdHttpAddresses: [[], "a:4151", ["a:4151"]],
    clusters: [[], "west=a:4161", ["west=a:4161"]],
    clusterNsqds: [[], "lab=a:4151", ["lab=a:4151"]],
    allowedDaemonNetworks: [[], "10.0.0.0/8", ["10.0.0.0/8"]],
    maxDaemonResponseSize: [67_108_864, "0", 0],
    maxLiveClients: [200, "1", 1],
    maxTails: [20, "2", 2],
    maxHttpConnections: [10_000, "0", 0],
    httpAllowedHosts: [[], "*", ["*"]],
    sampleInterval: [Duration.seconds(5), "1s", Duration.seconds(1)],
    historyDir: ["", "/var/history", "/var/history"],
    historyRetention: [Duration.hours(168), "48h", Duration.hours(48)],
    nodeRetention: [Duration.hours(24), "1h", Duration.hours(1)],
    warnPeriod: [Duration.seconds(30), "1m", Duration.minutes(1)],
    warnDepth: [100, "5", 5],
    warnOldest: [Duration.minutes(15), "1h", Duration.hours(1)],
    warnRequeuePercent: [100, "50", 50],
    warnDeliveryRatio: [10, "3", 3],
    warnMemoryPercent: [90, "80", 80],
    warnDiskPercent: [90, "80", 80]
  })

  it.effect("the Layer changes only the given options, and without it services read NSQ's defaults", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* NsqadminOptions.NsqadminOptions, NsqadminOptions.defaults())
      const changed = yield* Effect.provide(
        Effect.service(NsqadminOptions.NsqadminOptions),
        NsqadminOptions.layer({ basePath: "/nsq" })
      )
      assert.deepStrictEqual(changed, { ...NsqadminOptions.defaults(), basePath: "/nsq" })
    }))

  it.effect("repeated addresses and administrators accumulate, and a variable has them comma separated", () =>
    Effect.gen(function*() {
      const args = ["--lookupd-http-address=a:1", "--lookupd-http-address=b:2"]
      const { options } = yield* NsqadminOptions.fromCommandLine(args, { NSQADMIN_ADMIN_USER: "ann,bob" })
      assert.deepStrictEqual(options.lookupdHttpAddresses, ["a:1", "b:2"])
      assert.deepStrictEqual(options.adminUsers, ["ann", "bob"])
    }))

  it.effect("--verbose is accepted with a warning, as a flag and as a config key", () =>
    Effect.gen(function*() {
      const path = yield* configFile("verbose = true\n")
      const { warnings } = yield* NsqadminOptions.fromCommandLine(["--verbose", `--config=${path}`], {})
      assert.deepStrictEqual(warnings, [
        "--verbose is deprecated and has no effect, use --log-level",
        "verbose in the config file is deprecated and has no effect"
      ])
    }))
})
