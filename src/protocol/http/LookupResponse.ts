/**
 * The responses of nsqlookupd's HTTP API (docs/protocol/http.md#nsqlookupd-endpoints), with keys in the order in which
 * nsqlookupd writes them. nsqlookupd encodes values of these types; nsqadmin, the tools, consumers and tests decode them. Older
 * daemons omit some keys, which decode to 0, `""` or an empty list.
 */
import { Schema } from "effect"
import { Count, list, optionalList, Text } from "./Lenient.ts"

/** An nsqd that is registered with nsqlookupd. */
export const Producer = Schema.Struct({
  /** `host:port` of its connection to nsqlookupd. */
  remote_address: Text,
  hostname: Text,
  broadcast_address: Schema.String,
  tcp_port: Count,
  http_port: Count,
  version: Text,
  topology_zone: Text,
  topology_region: Text
})
export type Producer = typeof Producer.Type

/**
 * `GET /lookup`, and an event of `GET /watch`: the channels of a topic, and the nsqd that have it.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Lookup = Schema.Struct({ channels: optionalList(Schema.String), producers: list(Producer) })
export type Lookup = typeof Lookup.Type

/**
 * An nsqd and its topics. `tombstones` has one entry per entry of `topics`.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Node = Schema.Struct({
  ...Producer.fields,
  tombstones: optionalList(Schema.Boolean),
  topics: optionalList(Schema.String)
})
export type Node = typeof Node.Type

/** `GET /nodes`: all nsqd. */
export const Nodes = Schema.Struct({ producers: list(Node) })
export type Nodes = typeof Nodes.Type

/** `GET /topics`. */
export const Topics = Schema.Struct({ topics: list(Schema.String) })
export type Topics = typeof Topics.Type

/** `GET /channels`. */
export const Channels = Schema.Struct({ channels: list(Schema.String) })
export type Channels = typeof Channels.Type

/**
 * The part of `Lookup` and `Nodes` that a consumer reads. A response without a list or without a port is not valid, so that the
 * consumer keeps the addresses of the one before it.
 */
export const Addresses = Schema.Struct({
  producers: Schema.Array(
    Schema.Struct({ broadcast_address: Producer.fields.broadcast_address, tcp_port: Schema.Int })
  )
})
export type Addresses = typeof Addresses.Type

/** `Addresses`, which servers from before NSQ 1.0 wrap in `data`. */
export const AnyAddresses = Schema.Union([Addresses, Schema.Struct({ data: Addresses })])
