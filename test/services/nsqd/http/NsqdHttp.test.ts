import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { packageVersion } from "../../../../src/services/core/Version.ts"
import { ClientState, type ClientStats } from "../../../../src/services/nsqd/broker/Clients.ts"
import { type Api, outcome, refusal, serve } from "./api.ts"

const post = ({ request }: Api, path: string) => Effect.map(request("POST", path, ""), outcome)
const get = ({ request }: Api, path: string) => Effect.map(request("GET", path), outcome)

describe("/ping and /info", () => {
  it.live("/ping reports the health and /info the settings of the daemon", () =>
    Effect.gen(function*() {
      const api = yield* serve({ broadcastAddress: "b.example", topologyZone: "<z>" })
      const ping = yield* api.request("GET", "/ping")
      assert.strictEqual(outcome(ping), "200 OK")
      assert.isUndefined(ping.headers["x-nsq-content-type"])
      const info = yield* get(api, "/info")
      assert.match(
        info,
        new RegExp(
          `^200 {"version":"1.3.0","broadcast_address":"b.example","hostname":"[^"]+","http_port":${api.port},` +
            `"tcp_port":0,"start_time":\\d+,"max_heartbeat_interval":60000000000,"max_output_buffer_size":65536,` +
            `"max_output_buffer_timeout":30000000000,"max_deflate_level":6,"topology_zone":"\\\\u003cz\\\\u003e",` +
            `"topology_region":"","effect_nsq_version":"${packageVersion}"}$`
        )
      )
    }))
})

describe("topic commands", () => {
  it.live("/topic endpoints create, pause, empty and delete topics", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const created = yield* api.request("POST", "/topic/create?topic=t", "")
      assert.strictEqual(outcome(created), "200")
      assert.strictEqual(created.headers["content-length"], "0")
      assert.isUndefined(created.headers["content-type"])
      assert.strictEqual(yield* post(api, "/topic/pause?topic=t"), "200")
      assert.strictEqual(api.broker.findTopic("t")?.paused, true)
      assert.strictEqual(yield* post(api, "/topic/unpause?topic=t"), "200")
      assert.strictEqual(api.broker.findTopic("t")?.paused, false)
      yield* api.request("POST", "/pub?topic=t", "x")
      assert.strictEqual(yield* post(api, "/topic/empty?topic=t"), "200")
      assert.strictEqual(api.broker.findTopic("t")?.depth, 0)
      assert.strictEqual(yield* post(api, "/topic/delete?topic=t"), "200")
      assert.strictEqual(yield* post(api, "/topic/delete?topic=t"), refusal(404, "TOPIC_NOT_FOUND"))
    }))

  it.live("/topic endpoints check their parameters, and names only where NSQ does", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      for (const command of ["create", "delete", "empty", "pause", "unpause"]) {
        const path = `/topic/${command}`
        assert.strictEqual(yield* post(api, `${path}?topic=%zz`), refusal(400, "INVALID_REQUEST"))
        assert.strictEqual(yield* post(api, path), refusal(400, "MISSING_ARG_TOPIC"))
        const checked = command === "create" || command === "empty"
        const expected = checked ? refusal(400, "INVALID_TOPIC") : refusal(404, "TOPIC_NOT_FOUND")
        assert.strictEqual(yield* post(api, `${path}?topic=a%20b`), expected)
        if (command !== "create") {
          assert.strictEqual(yield* post(api, `${path}?topic=none`), refusal(404, "TOPIC_NOT_FOUND"))
        }
      }
    }))
})

describe("channel commands", () => {
  it.live("/channel endpoints create, pause, empty and delete channels", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* post(api, "/topic/create?topic=t")
      assert.strictEqual(yield* post(api, "/channel/create?topic=t&channel=c"), "200")
      const channel = api.broker.findTopic("t")?.channel("c")
      assert.strictEqual(yield* post(api, "/channel/pause?topic=t&channel=c"), "200")
      assert.strictEqual(channel?.paused, true)
      assert.strictEqual(yield* post(api, "/channel/unpause?topic=t&channel=c"), "200")
      assert.strictEqual(channel?.paused, false)
      assert.strictEqual(yield* post(api, "/channel/empty?topic=t&channel=c"), "200")
      assert.strictEqual(yield* post(api, "/channel/delete?topic=t&channel=c"), "200")
      assert.deepStrictEqual(api.broker.findTopic("t")?.channels, [])
    }))

  it.live("/channel endpoints check their parameters in a fixed order", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* post(api, "/topic/create?topic=t")
      for (const command of ["create", "delete", "empty", "pause", "unpause"]) {
        const at = (query: string) => post(api, `/channel/${command}?${query}`)
        assert.strictEqual(yield* at("channel=c"), refusal(400, "MISSING_ARG_TOPIC"))
        assert.strictEqual(yield* at("topic=a%20b&channel=a%20b"), refusal(400, "INVALID_ARG_TOPIC"))
        assert.strictEqual(yield* at("topic=none"), refusal(400, "MISSING_ARG_CHANNEL"))
        assert.strictEqual(yield* at("topic=none&channel="), refusal(400, "INVALID_ARG_CHANNEL"))
        assert.strictEqual(yield* at("topic=none&channel=c"), refusal(404, "TOPIC_NOT_FOUND"))
        if (command !== "create") {
          assert.strictEqual(yield* at("topic=t&channel=none"), refusal(404, "CHANNEL_NOT_FOUND"))
        }
      }
    }))

  it.live("the old endpoint names work, also by GET, and each is logged once", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      assert.strictEqual(yield* get(api, "/create_topic?topic=t"), "200")
      assert.strictEqual(yield* post(api, "/create_topic?topic=u"), "200")
      assert.strictEqual(yield* get(api, "/create_channel?topic=t&channel=c"), "200")
      assert.strictEqual(yield* get(api, "/pause_channel?topic=t&channel=c"), "200")
      assert.strictEqual(yield* get(api, "/delete_topic?topic=none"), refusal(404, "TOPIC_NOT_FOUND"))
      assert.deepStrictEqual(
        api.log.flatMap((line) => line.split("WARNING: deprecated path ")[1] ?? []),
        [
          "/create_topic, use /topic/create",
          "/create_channel, use /channel/create",
          "/pause_channel, use /channel/pause",
          "/delete_topic, use /topic/delete"
        ]
      )
    }))
})

describe("/config", () => {
  it.live("/config reads all options and changes those that can be changed", () =>
    Effect.gen(function*() {
      const api = yield* serve({ memQueueSize: 77 })
      const put = (key: string, body: string) => Effect.map(api.request("PUT", `/config/${key}`, body), outcome)
      assert.strictEqual(yield* get(api, "/config/mem_queue_size"), "200 77")
      const text = yield* api.request("GET", "/config/tcp_address")
      assert.strictEqual(outcome(text), "200 0.0.0.0:4150")
      assert.strictEqual(text.headers["content-type"], "text/plain; charset=utf-8")
      assert.strictEqual(yield* put("log_level", "debug"), "200 1")
      assert.strictEqual(yield* put("nsqlookupd_tcp_addresses", "[\"a:1\"]"), "200 [\"a:1\"]")
      assert.strictEqual(yield* put("log_level", "loud"), refusal(400, "INVALID_VALUE"))
      assert.strictEqual(yield* put("none", ""), refusal(413, "INVALID_VALUE"))
      assert.strictEqual(yield* put("none", "x"), refusal(400, "INVALID_OPTION"))
      assert.strictEqual(yield* get(api, "/config/none"), refusal(400, "INVALID_OPTION"))
    }))

  it.live("/config refuses a value larger than the largest message", () =>
    Effect.gen(function*() {
      const { request } = yield* serve({ maxMsgSize: 5 })
      assert.strictEqual(outcome(yield* request("PUT", "/config/log_level", "debug")), "200 1")
      assert.strictEqual(outcome(yield* request("PUT", "/config/log_level", "debug ")), refusal(413, "INVALID_VALUE"))
    }))
})

/** What the connection has negotiated. */
const settings = {
  heartbeatInterval: 30_000,
  msgTimeout: 60_000,
  outputBufferSize: 16_384,
  outputBufferTimeout: 250,
  deflateLevel: 0
}

const connection: ClientStats = {
  clientId: "id",
  hostname: "host",
  userAgent: "ua/1",
  version: "V2",
  remoteAddress: "127.0.0.1:5",
  state: ClientState.subscribed,
  readyCount: 1,
  inFlightCount: 0,
  messageCount: 0,
  finishCount: 0,
  requeueCount: 0,
  connectTime: 7,
  sampleRate: 0,
  deflate: false,
  snappy: false,
  tls: undefined,
  identity: undefined,
  topologyZone: "z",
  topologyRegion: "r",
  published: new Map([["other", 2], ["t", 3]]),
  unfinishedBytes: 0
}

const clientText = (pubCounts: string) =>
  `{"client_id":"id","hostname":"host","version":"V2","remote_address":"127.0.0.1:5","state":3,"ready_count":1,` +
  `"in_flight_count":0,"message_count":0,"finish_count":0,"requeue_count":0,"connect_ts":7,"sample_rate":0,` +
  `"deflate":false,"snappy":false,"user_agent":"ua/1","topology_zone":"z","topology_region":"r",${pubCounts}` +
  `"tls":false,"tls_cipher_suite":"","tls_version":"","tls_negotiated_protocol":"",` +
  `"tls_negotiated_protocol_is_mutual":false}`

describe("/stats", () => {
  it.live("/stats has NSQ's keys in NSQ's order", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const start = api.broker.startTime
      const nothing = `{"version":"1.3.0","health":"OK","start_time":${start},"topics":[],"producers":null}`
      assert.strictEqual(yield* api.stats(), nothing)
      yield* post(api, "/topic/create?topic=t")
      yield* post(api, "/channel/create?topic=t&channel=c")
      yield* post(api, "/topic/pause?topic=t")
      yield* api.request("POST", "/pub?topic=t", "abc")
      const channel = `{"channel_name":"c","depth":0,"backend_depth":0,"in_flight_count":0,"deferred_count":0,` +
        `"message_count":0,"requeue_count":0,"timeout_count":0,"client_count":0,"clients":[],"paused":false,` +
        `"e2e_processing_latency":{"count":0,"percentiles":null}}`
      const topic = `{"topic_name":"t","channels":[${channel}],"depth":1,"backend_depth":0,"message_count":1,` +
        `"message_bytes":3,"paused":true,"e2e_processing_latency":{"count":0,"percentiles":null}}`
      assert.strictEqual(yield* api.stats(), nothing.replace("[]", `[${topic}]`))
      assert.strictEqual(yield* api.stats("&topic=none"), nothing.replace("[]", "null"))
      assert.strictEqual(yield* api.stats("&channel=none"), nothing)
      const memory = yield* get(api, "/stats?format=json")
      assert.match(
        memory,
        /\],"memory":\{"heap_objects":\d+,"heap_idle_bytes":.*"gc_total_runs":\d+\},"producers":null\}$/
      )
    }))

  it.live("/stats has connections as consumers of their channel and as producers", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = {
        deliver: () => {},
        flush: () => {},
        isWritable: () => true,
        inputMark: () => 0,
        close: () => {},
        stats: () => connection,
        settings: () => settings
      }
      yield* post(api, "/topic/create?topic=t")
      yield* post(api, "/channel/create?topic=t&channel=c")
      api.broker.findTopic("t")?.channel("c")?.subscribe(consumer, { msgTimeout: 1000, sampleRate: 0 })
      yield* api.clients.add(consumer)
      const stats = yield* api.stats("&topic=t")
      const listed = clientText("\"pub_counts\":[{\"topic\":\"t\",\"count\":3}],")
      assert.include(stats, `"client_count":1,"clients":[${listed}]`)
      assert.include(stats, `"producers":[${listed}]`)
      assert.include(yield* api.stats("&topic=none"), `"producers":[${clientText("")}]`)
      const without = yield* api.stats("&include_clients=false")
      assert.include(without, "\"client_count\":1,\"clients\":null")
      assert.include(without, "\"producers\":null")
      const text = yield* get(api, "/stats?include_mem=0")
      assert.match(text, /\n {8}\[V2 host:5 ua\/1 {10}\] msgs: 2 {8}topics: other=2 connected: \d+h\d+m\d+s\n/)
    }))
})

describe("the request log", () => {
  it.live("the request log has a line for each request that does not publish", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* get(api, "/info?x=1")
      yield* post(api, "/topic/create")
      yield* api.request("POST", "/pub?topic=t", "x")
      yield* get(api, "/debug/pprof/cmdline")
      yield* get(api, "/none")
      const requests = api.log.flatMap((line) => /INFO: (\d+ [A-Z]+ .*)$/.exec(line)?.[1] ?? [])
      const shape = requests.map((line) => line.replace(/\(127\.0\.0\.1:\d+\) [\d.]+(µs|ms)$/, "(peer) time"))
      assert.deepStrictEqual(shape, [
        "200 GET /info?x=1 (peer) time",
        "400 POST /topic/create (peer) time",
        "404 GET /none (peer) time"
      ])
    }))
})

describe("/debug", () => {
  it.live("/debug has NSQ's paths with Node's data", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      for (const name of ["", "cmdline", "symbol", "heap", "goroutine", "block", "threadcreate"]) {
        const answer = yield* api.request("GET", `/debug/pprof/${name}`)
        assert.strictEqual(answer.status, 200, name)
        assert.isUndefined(answer.headers["x-nsq-content-type"])
      }
      for (const name of ["trace", "mutex", "allocs"]) {
        assert.strictEqual(yield* get(api, `/debug/pprof/${name}`), refusal(404, "NOT_FOUND"))
      }
      const rate = (value: string) => Effect.map(api.request("PUT", `/debug/setblockrate?rate=${value}`), outcome)
      assert.strictEqual(yield* rate("1"), "200 OK")
      assert.strictEqual(
        yield* rate("x"),
        "400 invalid block rate : strconv.Atoi: parsing \"x\": invalid syntax"
      )
      assert.strictEqual(yield* post(api, "/debug/freememory"), "200 OK")
      assert.strictEqual(yield* get(api, "/debug/freememory"), refusal(405, "METHOD_NOT_ALLOWED"))
    }))

  it.live("/debug makes one CPU profile at a time", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const profile = get(api, "/debug/pprof/profile?seconds=1")
      const both = (yield* Effect.all([profile, profile], { concurrency: 2 })).toSorted()
      assert.match(both[0] ?? "", /^200 \{"nodes":\[/)
      assert.match(both[1] ?? "", /^500 .*already in use$/)
    }))
})
