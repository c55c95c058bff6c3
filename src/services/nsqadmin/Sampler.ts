/**
 * Samples the whole cluster at an interval and keeps the last sample. Charts, states of daemons, warnings and live figures all
 * derive from the samples.
 *
 * Samples do not overlap. Each queries a bounded number of daemons at a time and times out after 60 seconds. Sampling takes at
 * most half of the time, however slow the daemons are.
 */
import { Clock, Context, Duration, Effect, Layer, PubSub, Stream } from "effect"
import type { DaemonState, LiveNode, Warning } from "../../protocol/http/admin/AdminLive.ts"
import { Cluster, type FiguresOfNode } from "../cluster/Cluster.ts"
import type { ClusterError } from "../cluster/ClusterError.ts"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import type * as Gathered from "../cluster/Gathered.ts"
import { type KnownNode, nodeAddress } from "../cluster/KnownNode.ts"
import * as Time from "../core/Time.ts"
import * as Turns from "../core/Turns.ts"
import type { HttpError } from "../http/HttpError.ts"
import * as ConsumerFlows from "./ConsumerFlows.ts"
import * as DaemonStates from "./DaemonStates.ts"
import * as Figures from "./Figures.ts"
import * as LiveNodes from "./LiveNodes.ts"
import type { Thresholds } from "./Notices.ts"
import * as Warnings from "./Warnings.ts"

/** The options of the sampler. */
export interface SamplerOptions {
  /** Time from the start of one sample to the start of the next. */
  readonly sampleInterval: Duration.Input
  /** Time for which an nsqd that is away is remembered, with its last figures. Default: a day. */
  readonly nodeRetention?: Duration.Input
  /** Time for which a channel is observed before a warning. Default: 30 seconds. */
  readonly warnPeriod?: Duration.Input
  /** Least number of messages for a warning about their growth. Default: 100. */
  readonly warnDepth?: number
  /** Age of the oldest message for a warning; 0 for no warning, like the next. Default: 15 minutes. */
  readonly warnOldest?: Duration.Input
  /** Requeued messages per 100 finished ones for a warning. Default: 100. */
  readonly warnRequeuePercent?: number
  /** Ratio of the deliveries of two consumers for a warning. Default: 10. */
  readonly warnDeliveryRatio?: number
  /** Percentage of nsqd's heap limit, or of its machine's memory, for a warning. Default: 90. */
  readonly warnMemoryPercent?: number
  /** Percentage of the disk of nsqd's data directory for a warning. Default: 90. */
  readonly warnDiskPercent?: number
}

const millis = (duration: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(duration))

const thresholdsOf = ({
  warnDeliveryRatio = 10,
  warnDepth = 100,
  warnDiskPercent = 90,
  warnMemoryPercent = 90,
  warnOldest = "15 minutes",
  warnPeriod = "30 seconds",
  warnRequeuePercent = 100
}: SamplerOptions): Thresholds => ({
  period: millis(warnPeriod),
  depth: warnDepth,
  oldest: millis(warnOldest),
  requeuePercent: warnRequeuePercent,
  deliveryRatio: warnDeliveryRatio,
  memoryPercent: warnMemoryPercent,
  diskPercent: warnDiskPercent
})

/** The state of the cluster at one time. */
export interface Sample {
  /** Unix milliseconds. */
  readonly at: number
  /** The same object as in the previous sample if sampling timed out. */
  readonly figures: Figures.ClusterFigures
  readonly daemons: ReadonlyArray<DaemonState>
  readonly nodes: ReadonlyArray<LiveNode>
  readonly warnings: ReadonlyArray<Omit<Warning, "muted_until">>
  /** The errors of the sample, one per line; empty if all daemons responded. */
  readonly message: string
}

/** Longer than the requests to many unresponsive daemons take. */
const sampleTimeout = Duration.seconds(60)

/** Limit for channels whose clients are queried at a time. */
const inspectedAtOnce = 4

interface Queried<A> {
  readonly value: ReadonlyArray<A>
  readonly failures: ReadonlyArray<HttpError>
  /** The error if all daemons failed. */
  readonly reason: string | undefined
}

const queried = <A>(
  query: Effect.Effect<Gathered.Gathered<ReadonlyArray<A>>, ClusterError>
): Effect.Effect<Queried<A>> =>
  Effect.match(query, {
    onSuccess: ({ failures, value }) => ({ value, failures, reason: undefined }),
    onFailure: ({ message, reason: { failures } }) => ({ value: [], failures, reason: message })
  })

const noFigures: Queried<FiguresOfNode<Figures.SampleOfNode>> = { value: [], failures: [], reason: undefined }
const noNames: Queried<string> = { value: [], failures: [], reason: undefined }

const linesOf = (...all: ReadonlyArray<Queried<unknown>>): string => {
  const lines = all.flatMap(({ failures, reason }) => reason ?? failures.map(({ message }) => message))
  return [...new Set(lines)].join("\n")
}

/** Logs a change, and not each of the following failures. */
const logChange = ({ address, error, kind, reachable }: DaemonState) =>
  reachable
    ? Effect.logInfo(`${kind} ${address} is reachable again`)
    : Effect.logWarning(`${kind} ${address} is unreachable: ${error}`)

/** Returns the topics that no nsqd is registered for. */
const orphansOf = (topics: ReadonlyArray<string>, nodes: ReadonlyArray<KnownNode>): ReadonlySet<string> => {
  const orphans = new Set(topics)
  for (const node of nodes) for (const { topic } of node.topics ?? []) orphans.delete(topic)
  return orphans
}

const unique = (nodes: ReadonlyArray<KnownNode>): ReadonlyArray<KnownNode> => [
  ...new Map(nodes.toReversed().map((node) => [nodeAddress(node), node])).values()
]

/** The samples of the cluster. */
export class Sampler extends Context.Service<Sampler, {
  /** The last sample, if any, and all later ones. Slow subscribers skip to the latest sample. */
  readonly samples: Stream.Stream<Sample>
}>()("effect-nsq/admin/Sampler") {
  static readonly layer = (options: SamplerOptions): Layer.Layer<Sampler, never, Cluster | ClusterSources> =>
    Layer.effect(
      Sampler,
      Effect.gen(function*() {
        const cluster = yield* Cluster
        const sources = yield* ClusterSources
        const clock = yield* Clock.Clock
        const turns = Turns.inBackground(yield* Turns.Turns)
        const samples = yield* PubSub.sliding<Sample>({ capacity: 1, replay: 1 })
        const monotonic = Time.fromClock(clock).monotonicMillis
        const retention = millis(options.nodeRetention ?? "1 day")
        const thresholds = thresholdsOf(options)
        let consumers = ConsumerFlows.none
        let figures = Figures.none
        let daemons = DaemonStates.none
        let statuses = LiveNodes.none
        let nodesNow: ReadonlyArray<LiveNode> = []
        let watched = Warnings.none
        const started = clock.currentTimeMillisUnsafe()

        const publish = (message: string) =>
          PubSub.publish(samples, {
            at: clock.currentTimeMillisUnsafe(),
            figures,
            daemons: DaemonStates.list(daemons),
            nodes: nodesNow,
            warnings: watched.listed,
            message
          })

        /** Queries the clients of the channels that may be stuck. Those that cannot be queried have no clients. */
        const inspect = (now: Figures.ClusterFigures, nodes: ReadonlyArray<KnownNode>) => {
          const known = new Map(nodes.map((node) => [nodeAddress(node), node]))
          return Effect.forEach(ConsumerFlows.suspectsOf(now), (suspect) => {
            const having = suspect.nodes.flatMap((address) => known.get(address) ?? [])
            const { channel, topic } = suspect
            return Effect.map(
              queried(cluster.stats(having, { topic, channel, clients: true })),
              ({ value }) =>
                [
                  suspect,
                  value.flatMap(({ topics }) => topics).flatMap(({ channels }) => channels)
                    .filter(({ channel_name }) => channel_name === channel)
                    .flatMap(({ clients }) => clients ?? [])
                ] as const
            )
          }, { concurrency: inspectedAtOnce })
        }

        /** If an nsqlookupd fails, the remembered nsqds are queried as well. */
        const sample = Effect.gen(function*() {
          const began = daemons === DaemonStates.none ? started : clock.currentTimeMillisUnsafe()
          const { lookupd: lookupds } = yield* sources.current
          const named = yield* queried(cluster.nodes)
          const nodes = named.failures.length === 0 && named.reason === undefined
            ? named.value
            : unique([...named.value, ...DaemonStates.remembered(daemons, monotonic(), retention)])
          // Without nsqlookupds all topics are in the responses of the nsqds.
          const topics = lookupds.length === 0 ? noNames : yield* queried(cluster.topics)
          const queriedAt = monotonic()
          const before = figures
          const collect = (node: KnownNode) => {
            const time = { at: monotonic(), unixMillis: clock.currentTimeMillisUnsafe() }
            return (startTime: number) => Figures.collect(node, startTime, time, before)
          }
          const stats = nodes.length === 0 ? noFigures : yield* queried(cluster.figures(nodes, collect))
          const failures = [...named.failures, ...stats.failures]
          const at = clock.currentTimeMillisUnsafe()
          const responses = stats.value
          const known = daemons
          daemons = DaemonStates.observe(daemons, {
            at,
            began,
            monotonic: queriedAt,
            lookupds,
            named: named.value,
            nodes,
            responses,
            failures,
            retention
          })
          yield* Effect.forEach(DaemonStates.changed(known, daemons), logChange)
          const remembered = new Set(DaemonStates.remembered(daemons, queriedAt, retention).map(nodeAddress))
          const listed = { names: topics.value, orphans: orphansOf(topics.value, nodes), remembered }
          const time = { at: queriedAt, unixMillis: at }
          figures = yield* Turns.finish(turns, Figures.fromResponses(responses, listed, time, before))
          consumers = ConsumerFlows.observe(consumers, yield* inspect(figures, nodes), queriedAt, thresholds.period)
          statuses = LiveNodes.observe(statuses, responses, figures)
          nodesNow = yield* Turns.finish(turns, LiveNodes.fromFigures(figures, statuses))
          const memories = new Map(
            responses.flatMap(({ memory, node }) => memory === undefined ? [] : [[nodeAddress(node), memory]])
          )
          const now = { at, figures, daemons: DaemonStates.list(daemons), consumers, memories, nodes: nodesNow }
          watched = yield* Turns.finish(turns, Warnings.observe(watched, now, thresholds))
          yield* publish(linesOf(named, topics, stats))
        }).pipe(Effect.timeoutOrElse({
          duration: sampleTimeout,
          orElse: () => publish(`sampling the cluster timed out after ${Duration.format(sampleTimeout)}`)
        }))

        const interval = millis(options.sampleInterval)
        const sampling = Effect.gen(function*() {
          while (true) {
            const started = monotonic()
            yield* Effect.provideService(sample, Turns.Turns, turns)
            const took = monotonic() - started
            yield* Effect.sleep(Math.max(interval - took, took))
          }
        })
        yield* Effect.forkScoped(Effect.tapDefect(sampling, (defect) => Effect.logError("sampling failed", defect)))
        return Sampler.of({ samples: Stream.fromPubSub(samples) })
      })
    )
}
