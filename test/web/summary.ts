import type { TopicSummary } from "../../src/protocol/http/admin/AdminLive.ts"

/** A topic that has nothing else to tell. */
export const summary = (topic: string, depth: number, rate: number | null = 0): TopicSummary => ({
  topic,
  depth,
  channel_depth: 0,
  in_flight_count: 0,
  deferred_count: 0,
  message_count: 0,
  rate,
  channel_count: 0,
  client_count: 0,
  paused: false
})
