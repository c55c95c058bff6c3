/**
 * The response of nsqd's `GET /node` (docs/protocol/http.md#node): the process and the machine of an nsqd. NSQ's nsqd does not have it.
 */
import { Schema } from "effect"
import { Count, Flag, orElse, Text } from "./Lenient.ts"

/** The memory of the process; all in bytes. */
export const NodeMemory = Schema.Struct({
  /** Resident memory of the process. */
  rss_bytes: Count,
  /** Used part of V8's heap. */
  heap_used_bytes: Count,
  /** The largest size of V8's heap. */
  heap_limit_bytes: Count,
  /** Buffers outside the heap, which hold messages. */
  external_bytes: Count,
  /** Memory that the process may still take: of its container or, without a limit, of the machine. */
  available_bytes: Count,
  /** The memory of the container or of the machine. */
  total_bytes: Count
})
export type NodeMemory = typeof NodeMemory.Type

/** How late the event loop runs what is due, over a past interval. */
export const NodeDelay = Schema.Struct({
  p50_usec: Count,
  p99_usec: Count,
  max_usec: Count,
  /** Length of the interval, in seconds. */
  seconds: Count
})
export type NodeDelay = typeof NodeDelay.Type

/** The file system of the data directory; all in bytes. */
export const NodeDisk = Schema.Struct({ free_bytes: Count, used_bytes: Count, total_bytes: Count })
export type NodeDisk = typeof NodeDisk.Type

/** The file descriptors of the process. */
export const NodeFiles = Schema.Struct({ open: Count, limit: Count })
export type NodeFiles = typeof NodeFiles.Type

/** A drain, with the messages that are left in all topics. */
export const NodeDrain = Schema.Struct({
  /** Unix seconds. */
  since: Count,
  /** Whether the drain waits for no message. */
  drained: Flag,
  depth: Count,
  in_flight_count: Count,
  /** Deferred messages, also those that the drain does not wait for. */
  deferred_count: Count
})
export type NodeDrain = typeof NodeDrain.Type

/**
 * The process and the machine of an nsqd. A part is null if it is unknown.
 *
 * @since 0.2.0
 * @category schemas
 */
export const NodeStatus = Schema.Struct({
  /** The version of NSQ whose behaviour nsqd has. */
  version: Text,
  effect_nsq_version: Text,
  /** The version of Node.js. */
  node_version: Text,
  /** `OK`, or `NOK - ` and the reason why messages cannot be written. */
  health: Text,
  /** Unix seconds. */
  start_time: Count,
  /** Connected clients: producers, and consumers over TCP and HTTP. */
  connection_count: Count,
  memory: NodeMemory,
  /** Null before the first interval is over. */
  event_loop_delay: orElse(Schema.NullOr(NodeDelay), null),
  /** Null without a data directory. */
  disk: orElse(Schema.NullOr(NodeDisk), null),
  /** Null where the operating system does not tell. */
  file_descriptors: orElse(Schema.NullOr(NodeFiles), null),
  /** Null while nsqd does not drain. */
  drain: orElse(Schema.NullOr(NodeDrain), null)
})
export type NodeStatus = typeof NodeStatus.Type
