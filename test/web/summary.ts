import type { TopicSummary } from "../../src/protocol/http/admin/AdminLive.ts"

/** Returns the summary of a topic, with 0 for all other figures. */
export const summary = (topic: string, backlog: number, rate: number | null = 0): TopicSummary => ({
  topic,
  depth: backlog,
  backend_depth: 0,
  channel_depth: 0,
  backlog,
  in_flight_count: 0,
  deferred_count: 0,
  message_count: 0,
  requeue_count: 0,
  timeout_count: 0,
  rate,
  finish_rate: 0,
  requeue_rate: 0,
  timeout_rate: 0,
  channel_count: 0,
  channels: [],
  client_count: 0,
  oldest: null,
  paused: false,
  away: null
})
