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
  responses: ReadonlyArray<FiguresOfNode<unknown>>,
  { nodes, seen }: Pick<ClusterFigures, "nodes" | "seen">
): Statuses => {
  const statuses = new Map<string, NodeStatus>()
  for (const [address, status] of before) if (seen.has(address) && !nodes.has(address)) statuses.set(address, status)
  for (const { node, status } of responses) if (status !== undefined) statuses.set(nodeAddress(node), status)
  return statuses
}

/** Returns the nsqds with figures, one step for each topic. */
export function* fromFigures(
  { nodes, seen }: ClusterFigures,
  statuses: Statuses
): Generator<void, ReadonlyArray<LiveNode>, void> {
  const live: Array<LiveNode> = []
  for (const [node, { flows, unixMillis }] of seen) {
    const away = nodes.has(node) ? undefined : unixMillis
    const flow = { ...Flow.none }
    const sum = { topics: 0, depth: 0, received: 0 }
    for (const name of flows.names()) {
      const topic = flows.topic(name, away)
      if (topic === undefined) continue
      sum.topics++
      sum.depth += topic.flow.depth
      for (const channel of topic.channels().values()) {
        sum.depth += channel.depth
        sum.received += channel.message_count
      }
      Flow.add(flow, topic.flow)
      yield
    }
    live.push({
      node,
      topic_count: sum.topics,
      depth: sum.depth,
      in_flight_count: flow.in_flight_count,
      deferred_count: flow.deferred_count,
      client_count: flow.client_count,
      message_count: flow.message_count,
      channel_message_count: sum.received,
      rate: flow.rate,
      finish_rate: flow.finish_rate,
      requeue_rate: flow.requeue_rate,
      timeout_rate: flow.timeout_rate,
      away: away ?? null,
      status: statuses.get(node) ?? null
    })
  }
  return live
}
