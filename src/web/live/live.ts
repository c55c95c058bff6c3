/**
 * The cluster as it changes: one stream of samples from the server, put together to the current state. When the connection
 * breaks, the last state stays and says so, and the stream begins again.
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

/** By the topic whose series are wanted, too; empty for none. */
const liveOf = Atom.family((topic: string) => AdminClient.runtime.atom(states(topic), { initialValue: initial }))

/** The state of the cluster, with what the current page needs of it. */
export const liveAtom: Atom.Atom<LiveState> = Atom.make((get) => {
  const route = get(routeAtom)
  const topic = route._tag === "Topic" || route._tag === "Channel" ? route.topic : ""
  const state = AsyncResult.getOrElse(get(liveOf(topic)), () => initial)
  return state.at === 0 ? until(state, Option.getOrElse(get.self<LiveState>(), () => initial)) : state
})
