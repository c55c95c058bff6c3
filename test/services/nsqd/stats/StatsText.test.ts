import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import type { Client, Stats } from "../../../../src/protocol/http/StatsResponse.ts"
import { banner } from "../../../../src/services/core/Version.ts"
import * as StatsText from "../../../../src/services/nsqd/stats/StatsText.ts"

const client: Client = {
  client_id: "chost",
  hostname: "chost.example",
  version: "V2",
  remote_address: "127.0.0.1:39766",
  state: 3,
  ready_count: 2,
  in_flight_count: 2,
  message_count: 4,
  finish_count: 1,
  requeue_count: 1,
  connect_ts: 1000,
  sample_rate: 0,
  deflate: false,
  snappy: false,
  user_agent: "ua/2",
  topology_zone: "",
  topology_region: "",
  tls: false,
  tls_cipher_suite: "",
  tls_version: "",
  tls_negotiated_protocol: "",
  tls_negotiated_protocol_is_mutual: false
}

const latency = { count: 3, percentiles: [{ quantile: 1, value: 1.5e9 }, { quantile: 0.5, value: 488e6 }] }

const stats: Stats = {
  version: "1.3.0",
  health: "OK",
  start_time: 1000,
  topics: [{
    topic_name: "alpha",
    channels: [{
      channel_name: "c1",
      depth: 4,
      backend_depth: 2,
      in_flight_count: 2,
      deferred_count: 1,
      message_count: 8,
      requeue_count: 1,
      timeout_count: 0,
      client_count: 1,
      clients: [client],
      paused: false,
      e2e_processing_latency: latency
    }, {
      channel_name: "c2",
      depth: 0,
      backend_depth: 0,
      in_flight_count: 0,
      deferred_count: 0,
      message_count: 0,
      requeue_count: 0,
      timeout_count: 0,
      client_count: 0,
      clients: null,
      paused: true,
      e2e_processing_latency: { count: 0, percentiles: null }
    }],
    depth: 0,
    backend_depth: 0,
    message_count: 8,
    message_bytes: 80,
    paused: false,
    e2e_processing_latency: latency
  }, {
    topic_name: "beta",
    channels: [],
    depth: 0,
    backend_depth: 0,
    message_count: 0,
    message_bytes: 0,
    paused: true,
    e2e_processing_latency: { count: 0, percentiles: null }
  }],
  memory: {
    heap_objects: 5853,
    heap_idle_bytes: 1,
    heap_in_use_bytes: 2,
    heap_released_bytes: 3,
    gc_pause_usec_100: 4,
    gc_pause_usec_99: 5,
    gc_pause_usec_95: 6,
    next_gc_bytes: 7,
    gc_total_runs: 8
  },
  producers: [{
    ...client,
    hostname: "phost",
    remote_address: "127.0.0.1:39740",
    user_agent: "ua/1",
    pub_counts: [{ topic: "alpha", count: 8 }]
  }]
}

const moment = { now: 1090, uptime: Duration.nanos(1_504_353_325n) }

const print = ({ producers, ...stats }: Stats): string =>
  Array.from(StatsText.pieces({ ...stats, producers: producers ?? [] }, moment)).join("")

describe("the statistics in text", () => {
  it("the text of /stats has NSQ's columns", () => {
    assert.strictEqual(
      print(stats),
      `${banner("nsqd")}
start_time ${StatsText.formatTime(1000)}
uptime 1.504353325s

Health: OK

Memory:
   heap_objects             \t5853
   heap_idle_bytes          \t1
   heap_in_use_bytes        \t2
   heap_released_bytes      \t3
   gc_pause_usec_100        \t4
   gc_pause_usec_99         \t5
   gc_pause_usec_95         \t6
   next_gc_bytes            \t7
   gc_total_runs            \t8

Topics:
   [alpha          ] depth: 0     be-depth: 0     msgs: 8        e2e%: 1.5s, 488.0ms
      [c1                       ] depth: 4     be-depth: 2     inflt: 2    def: 1    re-q: 1     timeout: 0     msgs: 8        e2e%: 1.5s, 488.0ms
        [V2 chost.example:39766 ua/2] state: 3 inflt: 2    rdy: 2    fin: 1        re-q: 1        msgs: 4        connected: 1m30s
   *P [c2                       ] depth: 0     be-depth: 0     inflt: 0    def: 0    re-q: 0     timeout: 0     msgs: 0        e2e%: ${""}

*P [beta           ] depth: 0     be-depth: 0     msgs: 0        e2e%: ${""}

Producers:
   [V2 phost:39740 ua/1     ] msgs: 8        topics: alpha=8 connected: 1m30s
`
    )
  })

  it("the text of /stats has None for an empty list", () => {
    const empty: Stats = { version: "1.3.0", health: "NOK - full", start_time: 0, topics: null, producers: null }
    const text = print(empty)
    assert.isTrue(text.endsWith("\n\nHealth: NOK - full\n\nTopics: None\n\nProducers: None\n"), text)
  })

  it("the text of /stats has the start time with its time zone", () => {
    assert.match(StatsText.formatTime(1000), /^1970-01-0\dT\d\d:\d\d:40(Z|[+-]\d\d:\d\d)$/)
  })
})
