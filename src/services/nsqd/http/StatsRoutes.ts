/**
 * `/stats` (docs/protocol/http.md#stats): the daemon's statistics as JSON or text.
 */
import { Clock, Duration, Effect, type Scope } from "effect"
import { finish, Turns } from "../../core/Turns.ts"
import * as Arguments from "../../http/Arguments.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import { type HttpRequest, type Route, route } from "../../http/Router.ts"
import * as StreamedResponse from "../../http/StreamedResponse.ts"
import { Broker } from "../broker/Broker.ts"
import { Clients } from "../broker/Clients.ts"
import { ProcessMemory } from "../stats/ProcessMemory.ts"
import * as StatsJson from "../stats/StatsJson.ts"
import * as StatsText from "../stats/StatsText.ts"
import { Storage } from "../storage/Storage.ts"

/** Everything except `false` and `0` counts as true. */
const isWanted = (value: string | undefined): boolean => value !== "false" && value !== "0"

/** The endpoint, for the services of the environment. The uptime counts from its creation. */
export const make: Effect.Effect<
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
    const started = yield* Clock.monotonicTimeNanos

    const stats = Effect.fnUntraced(function*({ target }: HttpRequest) {
      const query = yield* Arguments.query(target)
      const health = yield* storage.health
      const reading = StatsJson.read(
        broker,
        clients,
        health,
        isWanted(query.get("include_mem")) ? memory.read() : undefined,
        {
          topic: query.get("topic") ?? "",
          channel: query.get("channel") ?? "",
          includeClients: isWanted(query.get("include_clients"))
        }
      )
      const read = yield* finish(turns, reading)
      if (query.get("format") === "json") return yield* stream(StatsJson.pieces(read))
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const uptime = Duration.nanos((yield* Clock.monotonicTimeNanos) - started)
      return yield* stream(StatsText.pieces(read, { now, uptime }), HttpResponse.textHeaders)
    })

    return [route("GET", "/stats", stats)]
  }
)
