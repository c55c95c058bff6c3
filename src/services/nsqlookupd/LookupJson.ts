/**
 * Converts registrations to the responses of nsqlookupd's HTTP API (docs/protocol/http.md#nsqlookupd-endpoints), with keys in the
 * order of `LookupResponse`, which is NSQ's. `/debug` is encoded here as well: no other program reads it.
 */
import type * as LookupResponse from "../../protocol/http/LookupResponse.ts"
import * as HttpResponse from "../http/HttpResponse.ts"
import type { DebugEntry, Lookup, Node, Producer } from "./Registration.ts"

const producer = ({ identity, remoteAddress }: Producer): LookupResponse.Producer => ({
  remote_address: remoteAddress,
  hostname: identity.hostname,
  broadcast_address: identity.broadcast_address,
  tcp_port: identity.tcp_port,
  http_port: identity.http_port,
  version: identity.version,
  topology_zone: identity.topology_zone,
  topology_region: identity.topology_region
})

/** The response of `/lookup`. */
export const lookup = ({ channels, producers }: Lookup): LookupResponse.Lookup => ({
  channels,
  producers: producers.map(producer)
})

/** The response of `/nodes`. */
export const nodes = (nodes: ReadonlyArray<Node>): LookupResponse.Nodes => ({
  producers: nodes.map((node) => ({
    ...producer(node.producer),
    tombstones: node.tombstones,
    topics: node.topics
  }))
})

/** Go's zero time in nanoseconds since the Unix epoch, wrapped at 64 bits. */
const neverNanos = -6795364578871345152n

/** Encodes an object with bigints, which JSON.stringify cannot write. */
const objectText = (fields: Readonly<Record<string, string | number | boolean | bigint>>): string =>
  `{${
    Object.entries(fields)
      .map(([key, value]) =>
        `${HttpResponse.encodeJson(key)}:${typeof value === "bigint" ? value : HttpResponse.encodeJson(value)}`
      )
      .join(",")
  }}`

const debugEntry = ({ producer, tombstonedAt }: DebugEntry): string => {
  const { identity, lastUpdate, remoteAddress } = producer
  return objectText({
    broadcast_address: identity.broadcast_address,
    hostname: identity.hostname,
    http_port: identity.http_port,
    id: remoteAddress,
    last_update: lastUpdate.wall,
    tcp_port: identity.tcp_port,
    tombstoned: tombstonedAt !== undefined,
    tombstoned_at: tombstonedAt?.wall ?? neverNanos,
    topology_region: identity.topology_region,
    topology_zone: identity.topology_zone,
    version: identity.version
  })
}

/** Encodes `/debug` in pieces. The entries must be ordered by key. */
export function* debugPieces(entries: Iterable<DebugEntry>): Generator<string> {
  let key: string | undefined
  for (const entry of entries) {
    if (entry.key === key) yield ","
    else yield `${key === undefined ? "{" : "],"}${HttpResponse.encodeJson(entry.key)}:[`
    key = entry.key
    yield debugEntry(entry)
  }
  yield key === undefined ? "{}" : "]}"
}
