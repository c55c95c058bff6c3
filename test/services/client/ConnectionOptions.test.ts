import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import { hostname } from "node:os"
import * as ConnectionOptions from "../../../src/services/client/ConnectionOptions.ts"

const identified = (options: ConnectionOptions.ConnectionOptions) => JSON.parse(ConnectionOptions.identify(options))

describe("ConnectionOptions", () => {
  it("the defaults of IDENTIFY are those of NSQ's client libraries", () => {
    const host = hostname()
    assert.deepStrictEqual(identified({}), {
      client_id: host.split(".")[0],
      hostname: host,
      user_agent: "effect-nsq",
      short_id: host.split(".")[0],
      long_id: host,
      feature_negotiation: true,
      tls_v1: false,
      deflate: false,
      deflate_level: 6,
      snappy: false,
      heartbeat_interval: 30_000,
      sample_rate: 0,
      msg_timeout: 0,
      output_buffer_size: 16_384,
      output_buffer_timeout: 250,
      topology_region: "",
      topology_zone: "",
      headers: true,
      reject: true
    })
  })

  it("the default timeouts are 1 s for connecting, 5 s for the handshake and 30 s between heartbeats", () => {
    const { dialTimeout, handshakeTimeout, heartbeatInterval } = ConnectionOptions
    assert.deepStrictEqual(
      [dialTimeout, handshakeTimeout, heartbeatInterval].map((timeout) => Duration.toMillis(timeout({}))),
      [1000, 5000, 30_000]
    )
    assert.deepStrictEqual(dialTimeout({ dialTimeout: "2 minutes" }), Duration.minutes(2))
  })

  it("the client id is the host name up to the first dot unless it is given", () => {
    const { client_id, hostname, long_id, short_id } = identified({ hostname: "web-1.example.com" })
    assert.deepStrictEqual([client_id, short_id, hostname, long_id], [
      "web-1",
      "web-1",
      "web-1.example.com",
      "web-1.example.com"
    ])
    assert.strictEqual(identified({ hostname: "web-1.example.com", clientId: "shop" }).client_id, "shop")
  })

  it("TLS is requested by true and by TLS options, and not by false", () => {
    const requested = ([true, {}, false] as const).map((tls) => identified({ tls }).tls_v1)
    assert.deepStrictEqual(requested, [true, true, false])
  })

  it("at most one kind of compression is requested", () => {
    const { deflate, deflate_level, snappy } = identified({ compression: "deflate", deflateLevel: 9 })
    assert.deepStrictEqual([deflate, snappy, deflate_level], [true, false, 9])
    const other = identified({ compression: "snappy" })
    assert.deepStrictEqual([other.deflate, other.snappy], [false, true])
  })

  it("durations are sent in whole milliseconds", () => {
    const { heartbeat_interval, msg_timeout, output_buffer_timeout } = identified({
      heartbeatInterval: "1 second",
      msgTimeout: "1500 micros",
      outputBufferTimeout: 20
    })
    assert.deepStrictEqual([heartbeat_interval, msg_timeout, output_buffer_timeout], [1000, 2, 20])
  })
})
