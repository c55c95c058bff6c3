/**
 * The live state of the cluster, assembled from a stream of samples. If the connection is lost, the last state remains, marked
 * as disconnected, and the stream reconnects after 2 seconds.
 */
import { Option, Schedule, Stream } from "effect"
import { AsyncResult, Atom } from "effect/reactivity"
import { AdminClient } from "../core/api.ts"
import { routeAtom } from "../core/navigation.ts"
import { initial, type LiveState, next, until } from "./LiveState.ts"

const reconnectDelay = "2 seconds"

const states = (topic: string): Stream.Stream<LiveState, never, AdminClient> => {
  const query = topic === "" ? {} : { topic }
  const connection = Stream.unwrap(AdminClient.use((client) => client.live.samples({ query }))).pipe(
    Stream.catchCause(() => Stream.empty),
    Stream.concat(Stream.make("lost" as const))
  )
  return connection.pipe(Stream.repeat(Schedule.spaced(reconnectDelay)), Stream.scan(() => initial, next))
}

/** The live state with the series of a topic; empty for none. */
const liveOf = Atom.family((topic: string) => AdminClient.runtime.atom(states(topic), { initialValue: initial }))

/** The live state of the cluster, with the series of the current page's topic. */
export const liveAtom: Atom.Atom<LiveState> = Atom.make((get) => {
  const route = get(routeAtom)
  const topic = route._tag === "Topic" || route._tag === "Channel" ? route.topic : ""
  const state = AsyncResult.getOrElse(get(liveOf(topic)), () => initial)
  return state.at === 0 ? until(state, Option.getOrElse(get.self<LiveState>(), () => initial)) : state
})
