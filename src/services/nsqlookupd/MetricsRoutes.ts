/** nsqlookupd's `/metrics` in Prometheus's text format (docs/protocol/metrics.md#nsqlookupd). */
import { Clock, Effect, type Scope } from "effect"
import process from "node:process"
import { packageVersion, version } from "../core/Version.ts"
import * as MetricCollection from "../http/MetricCollection.ts"
import { type Route, route } from "../http/Router.ts"
import * as StreamedResponse from "../http/StreamedResponse.ts"
import type { RegistrationDatabase } from "./RegistrationDatabase.ts"
import { Registrations } from "./Registrations.ts"

const collect = (registrations: RegistrationDatabase, startTime: number): MetricCollection.MetricCollection => {
  const to = new MetricCollection.MetricCollection()
  const { active, channels, entries, producers, topics } = registrations.sizes()
  const { commands, connections, errors, refused, requests } = registrations.counts
  to.gauge("nsqlookupd_info", "Versions of NSQ's protocol and behaviour, and of Node.", 1, {
    version,
    effect_nsq_version: packageVersion,
    node: process.versions.node
  })
  to.gauge("nsqlookupd_topics", "Topics.", topics)
  to.gauge("nsqlookupd_channels", "Channels.", channels)
  const described = "Registered nsqds; inactive ones have sent nothing for --inactive-producer-timeout."
  to.gauge("nsqlookupd_producers", described, active, { state: "active" })
  to.gauge("nsqlookupd_producers", described, producers - active, { state: "inactive" })
  to.gauge("nsqlookupd_registrations", "Topics and channels of all nsqds.", entries)
  to.gauge("nsqlookupd_connections", "Connections of nsqds.", connections)
  for (const [command, count] of commands) {
    to.counter("nsqlookupd_commands_total", "Commands of nsqds.", count, { command })
  }
  to.counter("nsqlookupd_command_errors_total", "Connections closed because of an invalid command.", errors)
  to.counter("nsqlookupd_refused_registrations_total", "REGISTER commands beyond a limit.", refused)
  requests.addTo(to, "nsqlookupd_http_requests_total")
  MetricCollection.addProcess(to, startTime)
  return to
}

/** The endpoint, for the registrations of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Registrations | Scope.Scope> = Effect.gen(function*() {
  const registrations = yield* Registrations
  const stream = yield* StreamedResponse.make
  const startTime = Math.floor((yield* Clock.currentTimeMillis) / 1000)

  const metrics = Effect.gen(function*() {
    const { contentType, pieces } = yield* Effect.promise(() => import("../http/PrometheusText.ts"))
    return yield* stream(pieces([collect(registrations, startTime).registry]), ["Content-Type", contentType])
  })

  // Not logged: Prometheus requests it all the time.
  return [route("GET", "/metrics", () => metrics, false)]
})
