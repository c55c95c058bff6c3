/**
 * `/metrics`: the daemon's metrics for Prometheus, together with those that the program around it keeps with Effect.
 */
import { Effect, Metric } from "effect"
import { Broker } from "../broker/Broker.ts"
import { Clients } from "../broker/Clients.ts"
import * as NsqdMetrics from "../metrics/NsqdMetrics.ts"
import { Storage } from "../storage/Storage.ts"
import * as Arguments from "./Arguments.ts"
import * as HttpResponse from "./HttpResponse.ts"
import { ProcessMemory } from "./ProcessMemory.ts"
import { type HttpRequest, type Route, route } from "./Router.ts"

/** The endpoint, on the services of the environment. `?ephemeral=true` shows ephemeral topics and channels as well. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker | Clients | Storage | ProcessMemory> = Effect.gen(
  function*() {
    const broker = yield* Broker
    const clients = yield* Clients
    const storage = yield* Storage
    const memory = yield* ProcessMemory
    const programs = yield* Metric.MetricRegistry

    const metrics = Effect.fnUntraced(function*({ target }: HttpRequest) {
      const query = yield* Arguments.query(target)
      const { contentType, print } = yield* Effect.promise(() => import("../metrics/Prometheus.ts"))
      const sources = { broker, clients, memory, health: yield* storage.health }
      const choice = { ...NsqdMetrics.usualChoice, includeEphemeral: query.get("ephemeral") === "true" }
      const text = yield* print([NsqdMetrics.collect(sources, choice), programs])
      return HttpResponse.make(200, ["Content-Type", contentType], text)
    })

    // Asked for all the time, by machines: not in the log.
    return [route("GET", "/metrics", metrics, false)]
  }
)
