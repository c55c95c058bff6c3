/**
 * The nsqds of a sample: the sums of the figures of all topics on each, and what the nsqd reports of its process. An nsqd that is away
 * keeps its last figures. Pure.
 */
import type { LiveNode } from "../../protocol/http/admin/AdminLive.ts"
import type { NodeStatus } from "../../protocol/http/NodeResponse.ts"
import type { FiguresOfNode } from "../cluster/Cluster.ts"
import { nodeAddress } from "../cluster/KnownNode.ts"
import type { ClusterFigures } from "./Figures.ts"
import * as Flow from "./Flow.ts"

/** What each nsqd reports of its process, by address; also the last report of those that are away. */
export type Statuses = ReadonlyMap<string, NodeStatus>

/** The reports before the first sample. */
export const none: Statuses = new Map()

/** Returns the reports after a sample. */
export const observe = (
  before: Statuses,
  responses: ReadonlyArray<FiguresOfNode>,
  { nodes, seen }: Pick<ClusterFigures, "nodes" | "seen">
): Statuses => {
  const statuses = new Map<string, NodeStatus>()
  for (const [address, status] of before) if (seen.has(address) && !nodes.has(address)) statuses.set(address, status)
  for (const { node, status } of responses) if (status !== undefined) statuses.set(nodeAddress(node), status)
  return statuses
}

/** Returns the nsqds with figures, one step for each topic. */
export function* fromFigures(
  { nodes, seen, topics }: ClusterFigures,
  statuses: Statuses
): Generator<void, ReadonlyArray<LiveNode>, void> {
  const sums = new Map(
    Array.from(seen.keys(), (address) => [address, { topics: 0, depth: 0, received: 0, flow: { ...Flow.none } }])
  )
  for (const topic of topics.values()) {
    for (const [address, onNode] of topic.nodes) {
      const sum = sums.get(address)
      if (sum === undefined) continue
      sum.topics++
      sum.depth += onNode.depth
      for (const channel of onNode.channels.values()) {
        sum.depth += channel.depth
        sum.received += channel.message_count
      }
      Flow.add(sum.flow, onNode)
    }
    yield
  }
  return Array.from(sums, ([node, { depth, flow, received, topics: count }]) => ({
    node,
    topic_count: count,
    depth,
    in_flight_count: flow.in_flight_count,
    deferred_count: flow.deferred_count,
    client_count: flow.client_count,
    message_count: flow.message_count,
    channel_message_count: received,
    rate: flow.rate,
    finish_rate: flow.finish_rate,
    requeue_rate: flow.requeue_rate,
    timeout_rate: flow.timeout_rate,
    away: nodes.has(node) ? null : seen.get(node)?.unixMillis ?? null,
    status: statuses.get(node) ?? null
  }))
}
