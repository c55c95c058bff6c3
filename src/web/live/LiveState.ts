/** The state of the cluster, assembled from live samples. Pure. */
import type {
  DaemonState,
  LiveNode,
  LivePoint,
  LiveSample,
  TopicSummary,
  Warning
} from "../../protocol/http/admin/AdminLive.ts"

/** The state of the cluster and of the connection to nsqadmin. */
export interface LiveState {
  /** Whether the connection delivers samples; undefined before the first sample. */
  readonly connected: boolean | undefined
  /** Unix milliseconds of the last sample; 0 before the first. */
  readonly at: number
  readonly topics: ReadonlyMap<string, TopicSummary>
  readonly points: ReadonlyArray<LivePoint>
  readonly daemons: ReadonlyArray<DaemonState>
  readonly nodes: ReadonlyArray<LiveNode>
  readonly warnings: ReadonlyArray<Warning>
  readonly message: string
}

/** The state before the first sample. */
export const initial: LiveState = {
  connected: undefined,
  at: 0,
  topics: new Map(),
  points: [],
  daemons: [],
  nodes: [],
  warnings: [],
  message: ""
}

/** Returns a sample of the parts before and the next part. */
export const joined = (before: LiveSample | undefined, part: LiveSample): LiveSample =>
  before === undefined
    ? part
    : { ...part, topics: [...before.topics, ...part.topics], points: [...before.points, ...part.points] }

/** Returns the state after a sample or the loss of the connection. Unchanged topics remain the same objects. */
export const next = (state: LiveState, sample: LiveSample | "lost"): LiveState => {
  if (sample === "lost") return { ...state, connected: false }
  const topics = new Map(sample.full ? [] : state.topics)
  for (const topic of sample.topics) topics.set(topic.topic, topic)
  for (const name of sample.gone) topics.delete(name)
  const { at, daemons, message, nodes, points, warnings } = sample
  return { connected: true, at, topics, points, daemons, nodes, warnings, message }
}

/** Returns the state of a new connection before its first sample: the last state of the previous one, without its series. */
export const until = (state: LiveState, last: LiveState): LiveState => ({
  ...last,
  connected: state.connected ?? last.connected,
  points: []
})
