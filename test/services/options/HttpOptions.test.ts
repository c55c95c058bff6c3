import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as NsqadminOptions from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import * as NsqdOptions from "../../../src/services/nsqd/options/NsqdOptions.ts"
import * as NsqlookupdOptions from "../../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import * as CommandLine from "../../../src/services/options/CommandLine.ts"

const tables = [
  { table: NsqdOptions.table, defaults: NsqdOptions.defaults() },
  { table: NsqlookupdOptions.table, defaults: NsqlookupdOptions.defaults() },
  { table: NsqadminOptions.table, defaults: NsqadminOptions.defaults() }
]

describe("HttpOptions", () => {
  it("all three daemons accept 10,000 HTTP connections and no additional host names by default", () => {
    for (const { defaults } of tables) {
      assert.deepStrictEqual([defaults.maxHttpConnections, defaults.httpAllowedHosts], [10_000, []])
    }
  })

  it("all three daemons have the same flags for HTTP, and config keys to match", () => {
    for (const { table } of tables) {
      const { httpAllowedHosts, maxHttpConnections } = table
      assert.deepStrictEqual(
        Result.getOrThrow(CommandLine.parse({ table: { httpAllowedHosts, maxHttpConnections } }, [
          "--http-allowed-host=nsq.example.com",
          "--max-http-connections=0",
          "--http-allowed-host=*"
        ])).given,
        { httpAllowedHosts: ["nsq.example.com", "*"], maxHttpConnections: 0 }
      )
      assert.deepStrictEqual([httpAllowedHosts.key, maxHttpConnections.key], [
        "http_allowed_hosts",
        "max_http_connections"
      ])
    }
  })
})
