/** A fake cluster whose state the test sets, and a clock that the test advances. */
import { Effect, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Node } from "../../../src/protocol/http/admin/AdminNodes.ts"
import type { NodeStatus } from "../../../src/protocol/http/NodeResponse.ts"
import {
  Client,
  Memory,
  type SampledChannel,
  type SampledTopic,
  Topic
} from "../../../src/protocol/http/StatsResponse.ts"
import { Cluster } from "../../../src/services/cluster/Cluster.ts"
import { ClusterError, ClusterErrorReason, type Kind } from "../../../src/services/cluster/ClusterError.ts"
import { ClusterSources } from "../../../src/services/cluster/ClusterSources.ts"
import * as Gathered from "../../../src/services/cluster/Gathered.ts"
import { nodeAddress } from "../../../src/services/cluster/KnownNode.ts"
import * as NodeStats from "../../../src/services/cluster/NodeStats.ts"
import * as Turns from "../../../src/services/core/Turns.ts"
import type { HttpError } from "../../../src/services/http/HttpError.ts"
import { Sampler } from "../../../src/services/nsqadmin/Sampler.ts"
import { Idle, untilIdle } from "../../../src/testing/index.ts"
import { unreachable } from "../http/httpErrors.ts"
import { quiet } from "../nsqd/broker/testing.ts"

type Mutable<A> = { -readonly [K in keyof A]: A[K] }
type ChannelState = Mutable<Omit<SampledChannel, "channel_name">>
type TopicState = Mutable<Omit<SampledTopic, "topic_name" | "channels">> & { channels?: Record<string, ChannelState> }

interface NodeState {
  topics: Record<string, TopicState>
  version?: string
  health?: string
  /** When it was started, in Unix seconds. Default: 0. */
  started?: number
  /** The error of requests to it. Default: they succeed. */
  fails?: string
  /** Whether nsqlookupd lists it. Default: true. */
  named?: boolean
  /** The clients of channels, by `topic channel`. */
  clients?: Record<string, ReadonlyArray<Partial<Client>>>
  memory?: Partial<Memory>
  /** What it reports of its process. Default: nothing, as NSQ's nsqd. */
  status?: NodeStatus
}

/** nsqds by hostname, and the errors of nsqlookupds by address (empty for none). The test may change it at any time. */
export interface FakeCluster {
  readonly nodes: Record<string, NodeState>
  readonly lookupds: Record<string, string>
  /** Topics that only nsqlookupds list. */
  readonly topics: Array<string>
  /** Duration of a query for figures, in milliseconds. */
  statsTake: number
  queries: number
}

export const fakeCluster = (nodes: Record<string, NodeState>): FakeCluster => ({
  nodes,
  lookupds: { "lookup:4161": "" },
  topics: [],
  statsTake: 0,
  queries: 0
})

export const nodeNamed = (hostname: string, version = "1.3.0"): Node => ({
  remote_addresses: null,
  remote_address: "",
  hostname,
  broadcast_address: hostname,
  tcp_port: 4150,
  http_port: 4151,
  version,
  topics: null,
  out_of_date: false
})

/** The nsqd with its topics, as nsqlookupd lists it. */
const nodeOf = (hostname: string, { topics, version }: NodeState): Node => ({
  ...nodeNamed(hostname, version),
  topics: Object.keys(topics).map((topic) => ({ topic, tombstoned: false }))
})

const sampledTopic = (topic_name: string, { channels = {}, ...figures }: TopicState): SampledTopic => ({
  topic_name,
  ...figures,
  channels: Object.entries(channels).map(([channel_name, channel]) => ({ channel_name, ...channel }))
})

const gathered = <A>(value: ReadonlyArray<A>, failures: ReadonlyArray<HttpError>, kind: Kind) =>
  value.length > 0
    ? Effect.succeed({ value, failures })
    : Effect.fail(
      new ClusterError({ reason: ClusterErrorReason.QueryFailure({ kind, failures }) })
    )

/** A `Cluster` that responds from that state. */
export const clusterLayer = (state: FakeCluster): Layer.Layer<Cluster | ClusterSources> => {
  const named = Effect.suspend(() => {
    const failing = Object.entries(state.lookupds).filter(([, reason]) => reason !== "")
    const failures = failing.map(([address, reason]) => unreachable(address, reason))
    const responsive = failing.length < Object.keys(state.lookupds).length
    const nodes = Object.entries(state.nodes).filter(([, node]) => node.named !== false)
    return responsive
      ? Effect.succeed({ value: nodes.map(([hostname, node]) => nodeOf(hostname, node)), failures })
      : gathered<Node>([], failures, "nsqlookupd")
  })
  const cluster = Layer.mock(Cluster)({
    nodes: named,
    topics: Effect.map(named, (found) =>
      Gathered.map(found, (nodes) => [
        ...nodes.flatMap(({ hostname }) => Object.keys(state.nodes[hostname]?.topics ?? {})),
        ...state.topics
      ])),
    producers: (topic) =>
      Effect.map(
        named,
        (found) =>
          Gathered.map(found, (nodes) => nodes.filter(({ hostname }) => topic in (state.nodes[hostname]?.topics ?? {})))
      ),
    stats: (nodes, { channel = "", topic = "" }) =>
      gathered(
        nodes.map((node) => {
          const clients = (state.nodes[node.hostname]?.clients?.[`${topic} ${channel}`] ?? [])
            .map((client, i) => Schema.decodeSync(Client)({ remote_address: `client:${i}`, ...client }))
          const stats = { topic_name: topic, channels: [{ channel_name: channel, clients }] }
          const identity = { address: nodeAddress(node), hostname: node.hostname, region: "", zone: "" }
          const onNode = NodeStats.topicOnNode(Schema.decodeSync(Topic)(stats), identity, 0)
          return { node, version: "1.3.0", health: "OK", topics: [onNode] }
        }),
        [],
        "nsqd"
      ),
    figures: (nodes, collect) =>
      Effect.suspend(() => {
        state.queries++
        const failing = nodes.filter(({ hostname }) => (state.nodes[hostname]?.fails ?? "") !== "")
        const failures = failing.map((node) => unreachable(nodeAddress(node), state.nodes[node.hostname]?.fails))
        const responses = nodes.filter((node) => !failing.includes(node)).map((node) => {
          const { health = "OK", started = 0, topics = {}, version = "1.3.0" } = state.nodes[node.hostname] ?? {}
          const collection = collect(node)(started)
          for (const [name, topic] of Object.entries(topics)) collection.add(sampledTopic(name, topic))
          const { memory, status } = state.nodes[node.hostname] ?? {}
          return {
            node,
            version,
            health,
            started,
            collected: collection.result,
            status,
            ...(memory === undefined ? {} : { memory: Schema.decodeSync(Memory)(memory) })
          }
        })
        return Effect.delay(gathered(responses, failures, "nsqd"), state.statsTake)
      })
  })
  return Layer.merge(cluster, ClusterSources.layer({ lookupd: Object.keys(state.lookupds), nsqd: [] }))
}

export const interval = 5

/** A `Sampler` of that cluster with an interval of 5 seconds. By default it never waits for its turn. */
export const samplerLayer = (state: FakeCluster, turns: Turns.Turns = Turns.unlimited): Layer.Layer<Sampler | Idle> =>
  Sampler.layer({ sampleInterval: `${interval} seconds` }).pipe(
    Layer.provide(clusterLayer(state)),
    Layer.provide(Layer.succeed(Turns.Turns, turns)),
    Layer.provide(quiet),
    Layer.provideMerge(Idle.layer)
  )

/** Lets `count` samples pass and waits until each is processed. */
export const passSamples = Effect.fnUntraced(function*(count: number) {
  for (let i = 0; i < count; i++) {
    yield* TestClock.adjust(`${interval} seconds`)
    yield* untilIdle
  }
})

/** The latest sample. */
export const latest = Sampler.use(({ samples }) => Effect.flatMap(Stream.runHead(samples), Effect.fromOption))
