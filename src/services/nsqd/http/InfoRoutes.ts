/**
 * `/ping`, `/ready` and `/info` (docs/protocol/http.md#ping-and-ready): health, readiness, and the daemon's settings.
 */
import { Effect } from "effect"
import type { Info } from "../../../protocol/http/InfoResponse.ts"
import { DaemonState } from "../../core/DaemonState.ts"
import * as GoDuration from "../../core/GoDuration.ts"
import * as NodeId from "../../core/NodeId.ts"
import { packageVersion, version } from "../../core/Version.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import { type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import { NsqdOptions } from "../options/NsqdOptions.ts"
import { Storage } from "../storage/Storage.ts"

const well = HttpResponse.plain(200, "OK")

/** The endpoints, for the services of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker | Storage | DaemonState> = Effect
  .gen(
    function*() {
      const { drain, startTime } = yield* Broker
      const storage = yield* Storage
      const state = yield* DaemonState
      const options = yield* NsqdOptions
      const hostname = NodeId.hostname()

      const ping = Effect.map(
        storage.health,
        (health) => health === undefined ? well : HttpResponse.plain(500, `NOK - ${health}`)
      )

      const ready = Effect.map(storage.health, (health) => {
        const draining = drain.isDraining() ? "draining" : undefined
        const reason = state.phase === "running" ? health ?? draining : state.phase
        return reason === undefined ? well : HttpResponse.plain(503, `NOT READY - ${reason}`)
      })

      const info = Effect.sync(() =>
        HttpResponse.json(
          {
            version,
            broadcast_address: options.broadcastAddress,
            hostname,
            http_port: state.httpPort,
            tcp_port: state.tcpPort,
            start_time: startTime,
            max_heartbeat_interval: Number(GoDuration.toNanos(options.maxHeartbeatInterval)),
            max_output_buffer_size: options.maxOutputBufferSize,
            max_output_buffer_timeout: Number(GoDuration.toNanos(options.maxOutputBufferTimeout)),
            max_deflate_level: options.maxDeflateLevel,
            topology_zone: options.topologyZone,
            topology_region: options.topologyRegion,
            effect_nsq_version: packageVersion
          } satisfies Info
        )
      )

      return [
        route("GET", "/ping", () => ping),
        // Not logged: load balancers request it all the time.
        route("GET", "/ready", () => ready, false),
        route("GET", "/info", () => info)
      ]
    }
  )
