/**
 * `/metrics`: the daemon's metrics for Prometheus, and those that the embedding program keeps with Effect.
 */
import { Context, Effect, Layer, Metric, type Scope } from "effect"
import { finish, Turns } from "../../core/Turns.ts"
import * as Arguments from "../../http/Arguments.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import * as StreamedResponse from "../../http/StreamedResponse.ts"
import { Broker } from "../broker/Broker.ts"
import { Clients } from "../broker/Clients.ts"
import * as NsqdMetrics from "../metrics/NsqdMetrics.ts"
import { ProcessMemory } from "../stats/ProcessMemory.ts"
import { Storage } from "../storage/Storage.ts"

/** The endpoint, for the services of the environment. `?ephemeral=true` includes ephemeral topics and channels. */
const make: Effect.Effect<
  ReadonlyArray<Route>,
  never,
  Broker | Clients | Storage | ProcessMemory | Scope.Scope
> = Effect.gen(
  function*() {
    const broker = yield* Broker
    const clients = yield* Clients
    const storage = yield* Storage
    const memory = yield* ProcessMemory
    const turns = yield* Turns
    const stream = yield* StreamedResponse.make
    const programs = yield* Metric.MetricRegistry

    const metrics = Effect.fnUntraced(function*({ target }: HttpRequest) {
      const query = yield* Arguments.query(target)
      const { contentType, pieces } = yield* Effect.promise(() => import("../../http/PrometheusText.ts"))
      const sources = { broker, clients, memory, health: yield* storage.health }
      const choice = { ...NsqdMetrics.usualChoice, includeEphemeral: query.get("ephemeral") === "true" }
      const daemons = yield* finish(turns, NsqdMetrics.collectInSteps(sources, choice))
      return yield* stream(pieces([daemons, programs]), ["Content-Type", contentType])
    })

    // Not logged: Prometheus requests it all the time.
    return [route("GET", "/metrics", metrics, false)]
  }
)

/**
 * The metrics of an nsqd over HTTP.
 *
 * @since 0.2.0
 * @category services
 */
export class Prometheus extends Context.Service<Prometheus, {
  /** The endpoints that the HTTP API adds. */
  readonly routes: ReadonlyArray<Route>
}>()("effect-nsq/http/Prometheus") {
  /** `GET /metrics`, in the text format of Prometheus (docs/operations.md#metrics). */
  static readonly layer: Layer.Layer<Prometheus, never, Broker | Clients | Storage | ProcessMemory> = Layer.effect(
    Prometheus,
    Effect.map(make, (routes) => ({ routes }))
  )

  /** No endpoint; `/metrics` is not found. */
  static readonly layerNone: Layer.Layer<Prometheus> = Layer.succeed(Prometheus, { routes: [] })
}
