/**
 * The response of nsqd's `GET /clients` (docs/protocol/http.md#clients): every connection with all that it has negotiated. NSQ's nsqd
 * does not have it.
 */
import { Schema } from "effect"
import { Count, list, orElse, Text } from "./Lenient.ts"
import { Client } from "./StatsResponse.ts"

/**
 * A connection of a client: the figures of `/stats`, and what else it has negotiated.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Connection = Schema.Struct({
  ...Client.fields,
  /** The messages that the client has published, by topic. */
  pub_counts: orElse(Schema.Array(Schema.Struct({ topic: Text, count: Count })), []),
  /** The topic and the channel that the client consumes; both are empty if it does not consume. */
  topic_name: Text,
  channel_name: Text,
  /** Milliseconds; 0 without heartbeats. */
  heartbeat_interval: Count,
  /** Milliseconds. */
  msg_timeout: Count,
  /** Bytes. */
  output_buffer_size: Count,
  /** Milliseconds. */
  output_buffer_timeout: Count,
  /** 0 without deflate. */
  deflate_level: Count
})
export type Connection = typeof Connection.Type

/**
 * The connections of an nsqd.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Connections = Schema.Struct({ clients: list(Connection) })
export type Connections = typeof Connections.Type
