import { assert, describe, it } from "@effect/vitest"
import * as StandaloneOptions from "../../../src/services/standalone/StandaloneOptions.ts"
import * as EveryOption from "../options/everyOption.ts"

describe("StandaloneOptions", () => {
  EveryOption.test<StandaloneOptions.StandaloneOptions>(StandaloneOptions, {
    logLevel: ["warn", "info", "info"],
    logPrefix: ["[standalone] ", "mine ", "mine "],
    logFormat: ["nsq", "json", "json"],
    dataPath: ["data", "/data", "/data"],
    durability: ["written", "synced", "synced"],
    tcpAddress: ["127.0.0.1:4150", "a:1", "a:1"],
    httpAddress: ["127.0.0.1:4151", "a:2", "a:2"],
    lookupdTcpAddress: ["127.0.0.1:4160", "a:3", "a:3"],
    lookupdHttpAddress: ["127.0.0.1:4161", "a:4", "a:4"],
    adminHttpAddress: ["127.0.0.1:4171", "a:5", "a:5"],
    httpAllowedHosts: [[], "*", ["*"]]
  })

  it("each daemon receives its addresses, and all receive the allowed hosts", () => {
    const options = {
      ...StandaloneOptions.defaults(),
      dataPath: "d",
      durability: "synced" as const,
      tcpAddress: "a:1",
      httpAddress: "a:2",
      lookupdTcpAddress: "a:3",
      lookupdHttpAddress: "a:4",
      adminHttpAddress: "a:5",
      httpAllowedHosts: ["nsq.example.com"]
    }
    const { httpAllowedHosts } = options
    assert.deepStrictEqual(StandaloneOptions.daemons(options), {
      nsqd: { dataPath: "d", durability: "synced", tcpAddress: "a:1", httpAddress: "a:2", httpAllowedHosts },
      nsqlookupd: { tcpAddress: "a:3", httpAddress: "a:4", httpAllowedHosts },
      nsqadmin: { httpAddress: "a:5", httpAllowedHosts, historyDir: "d/nsqadmin" }
    })
  })
})
