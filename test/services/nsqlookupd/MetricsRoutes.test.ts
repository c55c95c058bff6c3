import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import * as Net from "node:net"
import { Nsqlookupd } from "../../../src/services/nsqlookupd/Nsqlookupd.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { requestTo } from "../nsqd/http/api.ts"

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1))

const start = Effect.gen(function*() {
  const context = yield* Nsqlookupd.layerWith({
    tcpAddress: "127.0.0.1:0",
    httpAddress: "127.0.0.1:0",
    maxRegistrationsPerProducer: 2
  }).pipe(Layer.provide(quiet), Layer.build, Effect.orDie)
  const { httpAddress, tcpAddress } = Context.get(context, Nsqlookupd)
  const address = { host: "127.0.0.1", port: portOf(httpAddress) }
  return { tcpPort: portOf(tcpAddress), request: (path: string) => requestTo(address, "GET", path) }
})

/** Sends commands of an nsqd on a connection that stays open. */
const producer = (port: number, commands: string) => {
  const identity = Buffer.from(JSON.stringify({
    broadcast_address: "a",
    hostname: "a",
    tcp_port: 4150,
    http_port: 4151,
    version: "1.3.0"
  }))
  const size = Buffer.alloc(4)
  size.writeUInt32BE(identity.length)
  return Effect.acquireRelease(
    Effect.sync(() => {
      const socket = Net.connect(port, "127.0.0.1")
      socket.on("error", () => {})
      socket.write(Buffer.concat([Buffer.from("  V1IDENTIFY\n"), size, identity, Buffer.from(commands)]))
      return socket
    }),
    (socket) => Effect.sync(() => void socket.destroy())
  )
}

/** Requests the metrics until they have this line. */
const metricsWith = (request: (path: string) => Effect.Effect<{ readonly text: string }>, line: string) =>
  Effect.map(request("/metrics"), ({ text }) => text.split("\n")).pipe(
    Effect.repeat({ schedule: Schedule.spaced("5 millis"), until: (lines) => lines.includes(line) }),
    Effect.timeout("1 minute")
  )

describe("nsqlookupd's /metrics", () => {
  it.live("registrations, producers, commands and errors are counted", () =>
    Effect.gen(function*() {
      const { request, tcpPort } = yield* start
      yield* producer(tcpPort, "REGISTER t c\nREGISTER u\nPING\n")
      yield* producer(tcpPort, "NONSENSE\n")
      const lines = yield* metricsWith(request, "nsqlookupd_command_errors_total 1")
      const all = yield* metricsWith(request, `nsqlookupd_commands_total{command="PING"} 1`)
      assert.include(lines, "# TYPE nsqlookupd_commands_total counter")
      assert.includeMembers(all, [
        "nsqlookupd_topics 1",
        "nsqlookupd_channels 1",
        `nsqlookupd_producers{state="active"} 1`,
        `nsqlookupd_producers{state="inactive"} 0`,
        "nsqlookupd_registrations 2",
        `nsqlookupd_commands_total{command="IDENTIFY"} 2`,
        `nsqlookupd_commands_total{command="REGISTER"} 2`,
        "nsqlookupd_refused_registrations_total 1"
      ])
      assert.isTrue(all.some((line) => /^process_resident_memory_bytes \d+$/.test(line)))
    }))

  it.live("requests to the HTTP API are counted by path and status", () =>
    Effect.gen(function*() {
      const { request } = yield* start
      yield* request("/topics")
      yield* request("/lookup?topic=none")
      yield* request("/nope/1")
      yield* request("/nope/2")
      yield* metricsWith(request, `nsqlookupd_http_requests_total{path="/topics",code="200"} 1`)
      yield* metricsWith(request, `nsqlookupd_http_requests_total{path="/lookup",code="404"} 1`)
      yield* metricsWith(request, `nsqlookupd_http_requests_total{path="none",code="404"} 2`)
    }))
})
