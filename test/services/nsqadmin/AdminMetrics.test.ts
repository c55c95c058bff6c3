import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schedule } from "effect"
import { LogOutput } from "../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../src/services/logging/NsqLogger.ts"
import { Nsqadmin } from "../../../src/services/nsqadmin/Nsqadmin.ts"
import { requestTo } from "../nsqd/http/api.ts"
import { startNsqd } from "./nsqds.ts"

const start = Effect.fnUntraced(function*(...nsqds: ReadonlyArray<string>) {
  const log: Array<string> = []
  const context = yield* Nsqadmin.layerWith({
    httpAddress: "127.0.0.1:0",
    basePath: "/nsq",
    nsqdHttpAddresses: nsqds,
    sampleInterval: "100 millis",
    warnDiskPercent: 0
  }).pipe(
    Layer.provide(NsqLogger.layer({ level: "info", prefix: "", format: "nsq" })),
    Layer.provide(Layer.succeed(LogOutput, { write: (line) => void log.push(line) })),
    Layer.build,
    Effect.orDie
  )
  const port = Context.get(context, Nsqadmin).httpAddress.split(":")[1] ?? ""
  const request = (path: string) => requestTo({ host: "127.0.0.1", port }, "GET", `/nsq${path}`)
  const metrics = Effect.map(request("/metrics"), ({ text }) => text.split("\n"))
  return { log, request, metrics }
})

/** Repeats a request until the lines of the metrics have one that matches. */
const until = (metrics: Effect.Effect<ReadonlyArray<string>>, line: RegExp) =>
  Effect.repeat(metrics, {
    schedule: Schedule.spaced("10 millis"),
    until: (lines) => lines.some((one) => line.test(one))
  }).pipe(Effect.timeout("1 minute"))

const dead = "127.0.0.1:1"

describe("nsqadmin's /metrics", () => {
  it.live("samples, failures of daemons and warnings are counted", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      const { metrics } = yield* start(nsqd.http, dead)
      const failed = `nsqadmin_daemon_failures_total{kind="nsqd",address="${dead}"}`
      const lines = yield* until(metrics, new RegExp(`^${failed.replaceAll(/[{}.]/g, "\\$&")} (?![01]$)`))
      assert.includeMembers([...lines], [
        "# TYPE nsqadmin_daemon_failures_total counter",
        `nsqadmin_daemon_up{kind="nsqd",address="${nsqd.http}"} 1`,
        `nsqadmin_daemon_up{kind="nsqd",address="${dead}"} 0`,
        `nsqadmin_daemon_failures_total{kind="nsqd",address="${nsqd.http}"} 0`,
        `nsqadmin_warnings{kind="daemon_gone",muted="false"} 1`,
        `nsqadmin_warnings{kind="daemon_gone",muted="true"} 0`,
        `nsqadmin_warnings{kind="stuck_channel",muted="false"} 0`,
        "nsqadmin_topics 0"
      ])
      assert.isTrue(lines.some((line) => /^nsqadmin_samples_total [1-9]/.test(line)))
      assert.isTrue(lines.some((line) => /^process_resident_memory_bytes \d+$/.test(line)))
    }))

  it.live("requests are counted by status, and those for metrics are not logged", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      const { log, metrics, request } = yield* start(nsqd.http)
      yield* request("/api/nodes")
      yield* request("/api/nope")
      yield* until(metrics, /^nsqadmin_http_requests_total\{code="404"\} 1$/)
      const lines = yield* until(metrics, /^nsqadmin_http_requests_total\{code="200"\} (?![01]$)/)
      assert.include(lines[0], "# HELP nsqadmin_info")
      assert.isTrue(log.some((line) => line.includes("/api/nodes")))
      assert.isFalse(log.some((line) => line.includes("/metrics")))
    }))
})
