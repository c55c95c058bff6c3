/** The response of nsqd's `/info` (docs/protocol/http.md#ping-and-ready), with keys in the order in which nsqd writes them. */
import { Schema } from "effect"
import { Count, Text } from "./Lenient.ts"

/**
 * The address and the settings of an nsqd. Older daemons omit some keys, which decode to 0 or `""`.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Info = Schema.Struct({
  version: Text,
  broadcast_address: Text,
  hostname: Text,
  http_port: Count,
  tcp_port: Count,
  /** Unix seconds. */
  start_time: Count,
  /** Nanoseconds. */
  max_heartbeat_interval: Count,
  /** Bytes. */
  max_output_buffer_size: Count,
  /** Nanoseconds. */
  max_output_buffer_timeout: Count,
  max_deflate_level: Count,
  topology_zone: Text,
  topology_region: Text,
  /** The version of effect-nsq; empty for NSQ's nsqd. */
  effect_nsq_version: Text
})
export type Info = typeof Info.Type
