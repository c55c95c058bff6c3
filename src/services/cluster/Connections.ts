/**
 * The connections of clients to one nsqd. effect-nsq's nsqd lists them with all that they have negotiated; for NSQ's nsqd they are put
 * together from its statistics. Pure.
 */
import { Schema } from "effect"
import type { ConnectionOnNode } from "../../protocol/http/admin/AdminClients.ts"
import { Connection } from "../../protocol/http/ClientsResponse.ts"
import { list } from "../../protocol/http/Lenient.ts"
import type { Client, Stats } from "../../protocol/http/StatsResponse.ts"

/** The response of `/clients` before its connections are decoded, one by one: there may be thousands. */
export const Listed = Schema.Struct({ clients: list(Schema.Unknown) })

/** Decodes one connection of `/clients`. */
export const decode = Schema.decodeUnknownResult(Connection)

/** The connections to query. */
export interface ConnectionFilter {
  /** Those that consume this topic or have published to it. Default: all. */
  readonly topic?: string | undefined
  /** Those that consume this channel of `topic`; ignored without it. */
  readonly channel?: string | undefined
  /** The one with this remote address. */
  readonly address?: string | undefined
}

/** Returns the query of `/clients`. */
export const queryOf = ({ address, channel, topic }: ConnectionFilter): string =>
  Object.entries({ topic, channel: topic === undefined ? undefined : channel, address })
    .flatMap(([name, value]) => value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`])
    .join("&")

/** Returns the connections that effect-nsq's nsqd lists. */
export const fromList = (node: string, clients: ReadonlyArray<Connection>): ReadonlyArray<ConnectionOnNode> =>
  clients.map((client) => ({ node, ...client }))

const unknown = {
  heartbeat_interval: null,
  msg_timeout: null,
  output_buffer_size: null,
  output_buffer_timeout: null,
  deflate_level: null
}

const connectionOf = (node: string, client: Client, topic_name: string, channel_name: string): ConnectionOnNode => ({
  node,
  ...client,
  pub_counts: client.pub_counts ?? [],
  topic_name,
  channel_name,
  ...unknown
})

/** Returns the connections in the statistics of any nsqd: its consumers and its producers. */
export const fromStats = (
  node: string,
  { producers, topics }: Stats,
  { address, channel, topic }: ConnectionFilter
): ReadonlyArray<ConnectionOnNode> => {
  const found = new Map<string, ConnectionOnNode>()
  const isWanted = ({ remote_address }: Client): boolean => address === undefined || remote_address === address
  for (const { channels, topic_name } of topics ?? []) {
    if (topic !== undefined && topic_name !== topic) continue
    for (const { channel_name, clients } of channels) {
      if (topic !== undefined && channel !== undefined && channel_name !== channel) continue
      for (const client of clients ?? []) {
        if (isWanted(client)) found.set(client.remote_address, connectionOf(node, client, topic_name, channel_name))
      }
    }
  }
  if (topic !== undefined && channel !== undefined) return [...found.values()]
  for (const producer of producers ?? []) {
    const counts = producer.pub_counts ?? []
    if (!isWanted(producer) || (topic !== undefined && counts.every((count) => count.topic !== topic))) continue
    const known = found.get(producer.remote_address)
    found.set(
      producer.remote_address,
      known === undefined ? connectionOf(node, producer, "", "") : { ...known, pub_counts: counts }
    )
  }
  return [...found.values()]
}

const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

/** The order of a list of connections. */
export const byAddress = (a: ConnectionOnNode, b: ConnectionOnNode): number =>
  compare(a.node, b.node) || compare(a.remote_address, b.remote_address)
