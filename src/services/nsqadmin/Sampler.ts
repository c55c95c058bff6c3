/**
 * Looks at the whole cluster again and again and keeps what it saw last. Everything that is live in nsqadmin follows from its
 * samples: charts, the state of daemons, warnings, what browsers are told.
 *
 * A sample asks a bounded number of daemons at a time and ends after a bounded time. There is one at a time, and sampling takes
 * at most half of all time, however slow the daemons are.
 */
import { Clock, Context, Duration, Effect, Layer, PubSub, Stream } from "effect"
import type { DaemonState, Warning } from "../../protocol/http/admin/AdminLive.ts"
import { Cluster, type FiguresOfNode, type KnownNode, nodeAddress } from "../cluster/Cluster.ts"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import type * as Gathered from "../cluster/Gathered.ts"
import type { DaemonError } from "../http/DaemonHttp.ts"
import * as DaemonStates from "./DaemonStates.ts"
import * as Figures from "./Figures.ts"
import * as Warnings from "./Warnings.ts"

export interface SamplerOptions {
  /** From the start of one sample to the start of the next. */
  readonly sampleInterval: Duration.Input
}

/** What the cluster was like. */
export interface Sample {
  /** Unix milliseconds. */
  readonly at: number
  /** The same as in the sample before when nothing could be found out about topics. */
  readonly figures: Figures.ClusterFigures
  readonly daemons: ReadonlyArray<DaemonState>
  readonly warnings: ReadonlyArray<Warning>
  /** What could not be found out, a line each; empty when all could. */
  readonly message: string
}

/** Longer than any daemon may take, for many of them. */
const sampleTimeout = Duration.seconds(60)

interface Answers<A> {
  readonly value: ReadonlyArray<A>
  readonly failures: ReadonlyArray<DaemonError>
  /** Why there is no answer at all. */
  readonly reason: string | undefined
}

const answersOf = <A>(
  asked: Effect.Effect<Gathered.Gathered<ReadonlyArray<A>>, Gathered.ClusterError>
): Effect.Effect<Answers<A>> =>
  Effect.match(asked, {
    onSuccess: ({ failures, value }) => ({ value, failures, reason: undefined }),
    onFailure: ({ failures, reason }) => ({ value: [], failures, reason })
  })

const noAnswers: Answers<FiguresOfNode> = { value: [], failures: [], reason: undefined }
const noNames: Answers<string> = { value: [], failures: [], reason: undefined }

const linesOf = (...all: ReadonlyArray<Answers<unknown>>): string => {
  const lines = all.flatMap(({ failures, reason }) => reason ?? failures.map(({ message }) => message))
  return [...new Set(lines)].join("\n")
}

/** Topics that no nsqd is said to have. */
const orphansOf = (topics: ReadonlyArray<string>, nodes: ReadonlyArray<KnownNode>): ReadonlySet<string> => {
  const orphans = new Set(topics)
  for (const node of nodes) for (const { topic } of node.topics ?? []) orphans.delete(topic)
  return orphans
}

const unique = (nodes: ReadonlyArray<KnownNode>): ReadonlyArray<KnownNode> => [
  ...new Map(nodes.toReversed().map((node) => [nodeAddress(node), node])).values()
]

export class Sampler extends Context.Service<Sampler, {
  /** The last sample, as soon as there is one, and those that follow. Who is slow gets the newest. */
  readonly samples: Stream.Stream<Sample>
}>()("effect-nsq/admin/Sampler") {
  static readonly layer = ({ sampleInterval }: SamplerOptions): Layer.Layer<Sampler, never, Cluster | ClusterSources> =>
    Layer.effect(
      Sampler,
      Effect.gen(function*() {
        const cluster = yield* Cluster
        const sources = yield* ClusterSources
        const clock = yield* Clock.Clock
        const samples = yield* PubSub.sliding<Sample>({ capacity: 1, replay: 1 })
        const monotonic = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
        let figures = Figures.none
        let daemons = DaemonStates.none
        let watched = Warnings.none

        const publish = (message: string) =>
          PubSub.publish(samples, {
            at: clock.currentTimeMillisUnsafe(),
            figures,
            daemons: DaemonStates.list(daemons),
            warnings: Warnings.list(watched),
            message
          })

        /** Who names the nsqds may fail: those that have been there lately are asked all the same. */
        const sample = Effect.gen(function*() {
          const { lookupd: lookupds } = yield* sources.current
          const named = yield* answersOf(cluster.nodes)
          const nodes = named.failures.length === 0 && named.reason === undefined
            ? named.value
            : unique([...named.value, ...DaemonStates.remembered(daemons, monotonic())])
          // In the other mode topics are known by the nsqds that have them.
          const topics = lookupds.length === 0 ? noNames : yield* answersOf(cluster.topics)
          const asked = monotonic()
          const stats = nodes.length === 0 ? noAnswers : yield* answersOf(cluster.figures(nodes))
          const failures = [...named.failures, ...stats.failures]
          const at = clock.currentTimeMillisUnsafe()
          const answers = stats.value
          const observation = { at, monotonic: asked, lookupds, named: named.value, nodes, answers, failures }
          daemons = DaemonStates.observe(daemons, observation)
          if (answers.length > 0 || failures.length === 0) {
            figures = Figures.fromAnswers(
              answers,
              { names: topics.value, orphans: orphansOf(topics.value, nodes) },
              asked,
              figures
            )
          }
          watched = Warnings.observe(watched, { at, figures, daemons: DaemonStates.list(daemons) })
          yield* publish(linesOf(named, topics, stats))
        }).pipe(Effect.timeoutOrElse({
          duration: sampleTimeout,
          orElse: () => publish(`the cluster did not answer within ${Duration.format(sampleTimeout)}`)
        }))

        const interval = Duration.toMillis(Duration.fromInputUnsafe(sampleInterval))
        const sampling = Effect.gen(function*() {
          while (true) {
            const started = monotonic()
            yield* sample
            const took = monotonic() - started
            yield* Effect.sleep(Math.max(interval - took, took))
          }
        })
        yield* Effect.forkScoped(Effect.tapDefect(sampling, (defect) => Effect.logError("sampling has ended", defect)))
        return Sampler.of({ samples: Stream.fromPubSub(samples) })
      })
    )
}
