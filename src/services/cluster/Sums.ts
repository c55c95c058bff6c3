/**
 * Sums of the figures of a topic or a channel over several nsqds (docs/protocol/http.md#nsqadmin-sums). Two defects of NSQ are
 * fixed: `min` of a percentile is the minimum, and `nodes` lists each nsqd with its own figures.
 */
import type {
  ChannelOnNode,
  ChannelStats,
  ClientStats,
  LatencyPercentile,
  ProcessingLatency,
  TopicOnNode,
  TopicStats
} from "../../protocol/http/admin/AdminStats.ts"
import * as ChannelSum from "./ChannelSum.ts"

/** The `node` of a sum. */
export const allNodes = "*"

const byText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

const byHost = (a: { readonly hostname: string; readonly node: string }, b: typeof a): number =>
  byText(a.hostname, b.hostname) || byText(a.node, b.node)

const total = <A>(items: ReadonlyArray<A>, count: (item: A) => number | undefined): number =>
  items.reduce((sum, item) => sum + (count(item) ?? 0), 0)

type Delivered = Pick<ChannelOnNode, "zone_local_msg_count" | "region_local_msg_count" | "global_msg_count">
type Counts = Delivered & Pick<ChannelOnNode, "delivery_msg_count" | "dead_letter_count">

/** Omits the counts that are 0. */
const counted = (counts: Counts): Counts =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))

/** Sums deliveries by the distance of the client; omits counts that are 0. */
export const localities = (items: ReadonlyArray<Delivered>): Delivered =>
  counted({
    zone_local_msg_count: total(items, ({ zone_local_msg_count }) => zone_local_msg_count),
    region_local_msg_count: total(items, ({ region_local_msg_count }) => region_local_msg_count),
    global_msg_count: total(items, ({ global_msg_count }) => global_msg_count)
  })

const addPercentile = (
  sum: LatencyPercentile | undefined,
  { average = 0, count = 0, max = 0, min = 0, quantile }: LatencyPercentile
): LatencyPercentile => {
  if (sum === undefined) return { average: count === 0 ? 0 : average, count, max, min, quantile }
  const counts = (sum.count ?? 0) + count
  return {
    average: counts === 0 ? 0 : ((sum.average ?? 0) * (sum.count ?? 0) + average * count) / counts,
    count: counts,
    max: Math.max(sum.max ?? 0, max),
    min: Math.min(sum.min ?? 0, min),
    quantile
  }
}

/** Sums the latencies of a topic or a channel over its nodes. */
const latency = (
  items: ReadonlyArray<ProcessingLatency>,
  topic: string,
  channel: string
): ProcessingLatency => {
  const sums = new Map<number, LatencyPercentile>()
  for (const { percentiles } of items) {
    for (const percentile of percentiles ?? []) {
      sums.set(percentile.quantile, addPercentile(sums.get(percentile.quantile), percentile))
    }
  }
  return {
    count: total(items, ({ count }) => count),
    percentiles: sums.size === 0 ? null : [...sums.values()],
    topic,
    channel,
    host: allNodes
  }
}

/** Orders clients by node, then same zone, same region, region and zone. */
const byNearness = (a: ClientStats, b: ClientStats): number => {
  const distance = (client: ClientStats): number => {
    if ((client.topology_region ?? "") !== (client.node_topology_region ?? "")) return 2
    return (client.topology_zone ?? "") === (client.node_topology_zone ?? "") ? 0 : 1
  }
  return byText(a.node, b.node) ||
    distance(a) - distance(b) ||
    byText(a.topology_region ?? "", b.topology_region ?? "") ||
    byText(a.topology_zone ?? "", b.topology_zone ?? "")
}

/** Sums a channel over the nodes that have it. Without nodes all figures are 0. */
export const channel = (topic: string, name: string, nodes: ReadonlyArray<ChannelOnNode>): ChannelStats => {
  const clients = nodes.flatMap((node) => node.clients ?? [])
  const sum = ChannelSum.sum(nodes)
  const delivered = total(nodes, ({ delivery_msg_count }) => delivery_msg_count)
  return {
    node: allNodes,
    hostname: "",
    topic_name: topic,
    channel_name: name,
    depth: sum.depth,
    memory_depth: total(nodes, ({ memory_depth }) => memory_depth),
    backend_depth: sum.backendDepth,
    in_flight_count: sum.inFlight,
    deferred_count: sum.deferred,
    requeue_count: sum.requeues,
    timeout_count: sum.timeouts,
    message_count: sum.messages,
    ...counted({ delivery_msg_count: delivered }),
    ...localities(nodes),
    client_count: sum.clients,
    nodes: nodes.toSorted(byHost),
    clients: clients.length === 0 ? null : clients.sort(byNearness),
    paused: nodes.some(({ paused }) => paused),
    e2e_processing_latency: latency(nodes.map((node) => node.e2e_processing_latency), topic, name),
    ...counted({ dead_letter_count: total(nodes, ({ dead_letter_count }) => dead_letter_count) })
  }
}

/** Groups items by a key, in order of first appearance. */
const groupBy = <A>(items: ReadonlyArray<A>, key: (item: A) => string): Map<string, Array<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}

/** The durability that a topic has on all nodes, or `mixed`; omitted if it has a log on none. */
const durability = (nodes: ReadonlyArray<TopicOnNode>): Pick<TopicStats, "durability"> => {
  const [first, ...others] = new Set(nodes.map((node) => node.durability))
  if (others.length > 0) return { durability: "mixed" }
  return first === undefined ? {} : { durability: first }
}

/** Sums a topic and its channels over the nodes that have it. Without nodes all figures are 0. */
export const topic = (name: string, given: ReadonlyArray<TopicOnNode>): TopicStats => {
  const nodes = given.toSorted(byHost)
  const channels = groupBy(nodes.flatMap((node) => node.channels), ({ channel_name }) => channel_name)
  return {
    node: allNodes,
    hostname: "",
    topic_name: name,
    depth: total(nodes, ({ depth }) => depth),
    memory_depth: total(nodes, ({ memory_depth }) => memory_depth),
    backend_depth: total(nodes, ({ backend_depth }) => backend_depth),
    message_count: total(nodes, ({ message_count }) => message_count),
    delivery_msg_count: total(nodes, ({ delivery_msg_count }) => delivery_msg_count),
    nodes,
    channels: [...channels].map(([channelName, onNodes]) => channel(name, channelName, onNodes)),
    paused: nodes.some(({ paused }) => paused),
    e2e_processing_latency: latency(nodes.map((node) => node.e2e_processing_latency), name, ""),
    ...durability(nodes)
  }
}
