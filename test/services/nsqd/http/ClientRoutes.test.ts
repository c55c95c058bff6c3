import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import type * as Net from "node:net"
import { Connections } from "../../../../src/protocol/http/ClientsResponse.ts"
import { Stats } from "../../../../src/protocol/http/StatsResponse.ts"
import { consume } from "../../../integration/nsqadmin/consumer.ts"
import { startNsqd } from "../../nsqadmin/nsqds.ts"
import { outcome, refusal, requestTo } from "./api.ts"

const start = Effect.map(startNsqd(), ({ http, tcp }) => {
  const [host = "", port = ""] = http.split(":")
  const request = (method: string, path: string, body?: string) => requestTo({ host, port }, method, path, body)
  return {
    tcp,
    request,
    clients: (query = "") =>
      Effect.flatMap(
        request("GET", `/clients?${query}`),
        ({ text }) => Schema.decodeEffect(Schema.fromJsonString(Connections))(text)
      ),
    channel: Effect.flatMap(
      request("GET", "/stats?format=json&topic=orders"),
      ({ text }) => Schema.decodeEffect(Schema.fromJsonString(Stats))(text)
    ).pipe(Effect.map(({ topics }) => topics?.[0]?.channels[0]))
  }
})

const until = <A, E>(state: Effect.Effect<A, E>, isRight: (now: A) => boolean) =>
  Effect.repeat(state, { schedule: Schedule.spaced("5 millis"), until: isRight }).pipe(Effect.timeout("1 minute"))

const closed = (socket: Net.Socket) =>
  Effect.callback<boolean>((resume) => void socket.once("close", (hadError) => resume(Effect.succeed(!hadError))))

const identity = {
  client_id: "billing-1",
  hostname: "billing-1.example.com",
  user_agent: "worker/1.0",
  heartbeat_interval: 10_000,
  msg_timeout: 20_000,
  output_buffer_size: 4096,
  output_buffer_timeout: 100
}

describe("/clients", () => {
  it.live("a connection has what it has negotiated, what it consumes and what it has published", () =>
    Effect.gen(function*() {
      const nsqd = yield* start
      assert.strictEqual(outcome(yield* nsqd.request("GET", "/clients")), `200 {"clients":[]}`)
      const options = { topic: "orders", channel: "billing", ready: 3, does: "hold", identity } as const
      const socket = yield* consume(nsqd.tcp, options)
      socket.write("PUB a\n\0\0\0\x01xPUB b\n\0\0\0\x01xPUB b\n\0\0\0\x01x")
      const { clients } = yield* until(nsqd.clients(), ({ clients }) => clients[0]?.pub_counts[1]?.count === 2)
      const [client] = clients
      assert.strictEqual(clients.length, 1)
      assert.deepInclude(client, {
        client_id: "billing-1",
        topic_name: "orders",
        channel_name: "billing",
        ready_count: 3,
        heartbeat_interval: 10_000,
        msg_timeout: 20_000,
        output_buffer_size: 4096,
        output_buffer_timeout: 100,
        deflate_level: 0,
        pub_counts: [{ topic: "a", count: 1 }, { topic: "b", count: 2 }]
      })
    }))

  it.live("the list can be limited to a topic, a channel and an address", () =>
    Effect.gen(function*() {
      const nsqd = yield* start
      const ends = { ready: 1, does: "finish" } as const
      const first = yield* consume(nsqd.tcp, { topic: "orders", channel: "billing", ...ends })
      yield* consume(nsqd.tcp, { topic: "orders", channel: "shipping", ...ends })
      const publisher = yield* consume(nsqd.tcp, { topic: "other", channel: "c", ...ends })
      publisher.write("PUB orders\n\0\0\0\x01x")
      yield* until(nsqd.clients("topic=orders"), ({ clients }) => clients.length === 3)
      const channels = (query: string) =>
        Effect.map(nsqd.clients(query), ({ clients }) => clients.map(({ channel_name }) => channel_name))
      assert.deepStrictEqual(yield* channels("topic=orders&channel=billing"), ["billing"])
      assert.deepStrictEqual(yield* channels(`address=127.0.0.1:${first.localPort}`), ["billing"])
      assert.deepStrictEqual(yield* channels("topic=nope"), [])
    }))
})

describe("/client/close", () => {
  it.live("a closed consumer sees the end of its connection, and its messages return at once", () =>
    Effect.gen(function*() {
      const nsqd = yield* start
      const socket = yield* consume(nsqd.tcp, { topic: "orders", channel: "billing", ready: 5, does: "hold" })
      yield* nsqd.request("POST", "/mpub?topic=orders", "1\n2\n3")
      yield* until(nsqd.channel, (channel) => channel?.in_flight_count === 3)
      const end = yield* Effect.forkChild(closed(socket), { startImmediately: true })
      const address = `127.0.0.1:${socket.localPort}`
      assert.strictEqual(outcome(yield* nsqd.request("POST", `/client/close?address=${address}`)), "200")
      assert.isTrue(yield* until(Effect.sync(() => end.pollUnsafe() !== undefined), (isOver) => isOver))
      const channel = yield* until(nsqd.channel, (channel) => channel?.in_flight_count === 0)
      assert.deepStrictEqual([channel?.depth, channel?.client_count, channel?.timeout_count], [3, 0, 0])
    }))

  it.live("a request without an address, or with one that no client has, is refused", () =>
    Effect.gen(function*() {
      const nsqd = yield* start
      const close = (query: string) => Effect.map(nsqd.request("POST", `/client/close?${query}`), outcome)
      assert.strictEqual(yield* close(""), refusal(400, "MISSING_ARG_ADDRESS"))
      assert.strictEqual(yield* close("address=127.0.0.1:1"), refusal(404, "CLIENT_NOT_FOUND"))
    }))
})
