import type { TopicSummary } from "../../src/protocol/http/admin/AdminLive.ts"

/** Returns the summary of a topic, with 0 for all other figures. */
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
