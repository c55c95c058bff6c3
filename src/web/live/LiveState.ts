/** The state of the cluster as the samples make it. Pure. */
import type { DaemonState, LivePoint, LiveSample, TopicSummary, Warning } from "../../protocol/http/admin/AdminLive.ts"

export interface LiveState {
  /** Whether samples arrive; undefined before the first. */
  readonly connected: boolean | undefined
  /** Unix milliseconds of the last sample; 0 before the first. */
  readonly at: number
  readonly topics: ReadonlyMap<string, TopicSummary>
  readonly points: ReadonlyArray<LivePoint>
  readonly daemons: ReadonlyArray<DaemonState>
  readonly warnings: ReadonlyArray<Warning>
  readonly message: string
}

export const initial: LiveState = {
  connected: undefined,
  at: 0,
  topics: new Map(),
  points: [],
  daemons: [],
  warnings: [],
  message: ""
}

/** The state after a sample, or after the connection is lost. Topics that did not change stay the same objects. */
export const next = (state: LiveState, sample: LiveSample | "lost"): LiveState => {
  if (sample === "lost") return { ...state, connected: false }
  const topics = new Map(sample.full ? [] : state.topics)
  for (const topic of sample.topics) topics.set(topic.topic, topic)
  for (const name of sample.gone) topics.delete(name)
  const { at, daemons, message, points, warnings } = sample
  return { connected: true, at, topics, points, daemons, warnings, message }
}

/** The state of a connection without samples yet: what the one before it knew stays true until then, but for its series. */
export const until = (state: LiveState, last: LiveState): LiveState => ({
  ...last,
  connected: state.connected ?? last.connected,
  points: []
})
