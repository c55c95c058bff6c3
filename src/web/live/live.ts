/**
 * The live state of the cluster, assembled from a stream of samples. If the connection is lost, the last state remains, marked
 * as disconnected, and the stream reconnects after 2 seconds.
 */
import { Effect, Option, Schedule, Stream } from "effect"
import { AsyncResult, Atom } from "effect/reactivity"
import type { LiveSample } from "../../protocol/http/admin/AdminLive.ts"
import { AdminClient } from "../core/api.ts"
import { routeAtom } from "../core/navigation.ts"
import type { Route } from "../core/route.ts"
import { initial, joined, type LiveState, next, until } from "./LiveState.ts"

const reconnectDelay = "2 seconds"

/** The series that a page shows; empty names for none. */
interface Wanted {
  readonly topic: string
  readonly node: string
}

const states = ({ node, topic }: Wanted): Stream.Stream<LiveState, never, AdminClient> => {
  const query = topic !== "" ? { topic } : node !== "" ? { node } : {}
  const connection = Stream.unwrap(AdminClient.use((client) => client.live.samples({ query }))).pipe(
    // Decoding one part is enough for a task of the browser.
    Stream.tap(({ more }) => more ? Effect.yieldNow : Effect.void),
    Stream.mapAccum((): LiveSample | undefined => undefined, (before, part) => {
      const sample = joined(before, part)
      return part.more ? [sample, []] : [undefined, [sample]]
    }),
    Stream.catchCause(() => Stream.empty),
    Stream.concat(Stream.make("lost" as const))
  )
  return connection.pipe(Stream.repeat(Schedule.spaced(reconnectDelay)), Stream.scan(() => initial, next))
}

/** The live state with the series that a page shows. */
const liveOf = Atom.family((wanted: Wanted) => AdminClient.runtime.atom(states(wanted), { initialValue: initial }))

const wantedBy = (route: Route): Wanted => ({
  topic: route._tag === "Topic" || route._tag === "Channel" || route._tag === "Messages" ? route.topic : "",
  node: route._tag === "Node" ? route.node : ""
})

/** The live state of the cluster, with the series of the current page's topic or nsqd. */
export const liveAtom: Atom.Atom<LiveState> = Atom.make((get) => {
  const state = AsyncResult.getOrElse(get(liveOf(wantedBy(get(routeAtom)))), () => initial)
  return state.at === 0 ? until(state, Option.getOrElse(get.self<LiveState>(), () => initial)) : state
})
