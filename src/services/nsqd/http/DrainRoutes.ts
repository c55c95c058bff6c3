/**
 * `/drain` (docs/protocol/http.md#drain): begins and ends the drain of this nsqd, and says how far it is.
 */
import { Effect } from "effect"
import type { DrainProgress } from "../../../protocol/http/DrainResponse.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import { type Route, route } from "../../http/Router.ts"
import { Broker } from "../broker/Broker.ts"
import type { Drain } from "../broker/Drain.ts"

const progressOf = (drain: Drain): DrainProgress => {
  const all = drain.remaining()
  return {
    draining: drain.isDraining(),
    since: drain.since(),
    drained: drain.isDraining() && all.every(({ isEmpty }) => isEmpty),
    topics: all
      .filter(({ deferred, inFlight, waiting }) => waiting + inFlight + deferred > 0)
      .map(({ deferred, inFlight, isEmpty, topic, waiting }) => ({
        topic_name: topic,
        depth: waiting,
        in_flight_count: inFlight,
        deferred_count: deferred,
        waited_for: !isEmpty
      }))
      .toSorted((a, b) => a.topic_name < b.topic_name ? -1 : 1)
  }
}

/** The endpoints, for the broker of the environment. */
export const make: Effect.Effect<ReadonlyArray<Route>, never, Broker> = Broker.useSync(({ drain }) => {
  const progress = Effect.sync(() => HttpResponse.json(progressOf(drain)))
  return [
    // Not logged: a program that waits for the end of a drain requests it all the time.
    route("GET", "/drain", () => progress, false),
    route("PUT", "/drain", () => Effect.andThen(drain.begin, progress)),
    route("DELETE", "/drain", () => Effect.andThen(drain.end, progress))
  ]
})
