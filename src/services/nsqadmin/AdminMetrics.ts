/** nsqadmin's metrics for Prometheus (docs/protocol/metrics.md#nsqadmin): samples, daemons, warnings, requests, and the process. */
import { Clock, Context, Effect, Layer, Stream } from "effect"
import process from "node:process"
import { type DaemonState, warningKinds } from "../../protocol/http/admin/AdminLive.ts"
import { packageVersion, version } from "../core/Version.ts"
import * as MetricCollection from "../http/MetricCollection.ts"
import { Mutes } from "./Mutes.ts"
import { type Sample, Sampler } from "./Sampler.ts"

const keyOf = ({ address, kind }: DaemonState): string => `${kind} ${address}`

/** What samples have had. Daemons that are forgotten have no counter any more. */
class SampleCounts {
  samples = 0
  last: Sample | undefined
  private failures = new Map<string, number>()

  add(sample: Sample): void {
    this.samples++
    this.last = sample
    this.failures = new Map(sample.daemons.map((daemon) => [
      keyOf(daemon),
      this.failuresOf(daemon) + (daemon.reachable ? 0 : 1)
    ]))
  }

  /** The number of samples in which the daemon did not respond. */
  failuresOf(daemon: DaemonState): number {
    return this.failures.get(keyOf(daemon)) ?? 0
  }
}

const addDaemons = (to: MetricCollection.MetricCollection, counts: SampleCounts, { daemons }: Sample): void => {
  for (const daemon of daemons) {
    const labels = { kind: daemon.kind, address: daemon.address }
    const isUp = MetricCollection.switched(daemon.reachable)
    to.gauge("nsqadmin_daemon_up", "Whether the daemon responded to the last sample.", isUp, labels)
  }
  for (const daemon of daemons) {
    const labels = { kind: daemon.kind, address: daemon.address }
    const failures = counts.failuresOf(daemon)
    to.counter("nsqadmin_daemon_failures_total", "Samples that the daemon did not respond to.", failures, labels)
  }
}

const addWarnings = (
  to: MetricCollection.MetricCollection,
  all: ReadonlyArray<{
    readonly kind: string
    readonly muted_until: number | null
  }>
): void => {
  for (const kind of warningKinds) {
    for (const muted of [false, true]) {
      const count = all.filter((one) => one.kind === kind && (one.muted_until !== null) === muted).length
      to.gauge("nsqadmin_warnings", "Current warnings.", count, { kind, muted: String(muted) })
    }
  }
}

/** The metrics of an nsqadmin. */
export class AdminMetrics extends Context.Service<AdminMetrics, {
  /** Counts a response with this status. */
  readonly responded: (status: number) => void
  /** Collects all series. */
  readonly collect: () => MetricCollection.MetricCollection
}>()("effect-nsq/admin/AdminMetrics") {
  static readonly layer: Layer.Layer<AdminMetrics, never, Sampler | Mutes> = Layer.effect(
    AdminMetrics,
    Effect.gen(function*() {
      const { samples } = yield* Sampler
      const mutes = yield* Mutes
      const startTime = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const counts = new SampleCounts()
      const requests = new MetricCollection.RequestCounts()
      yield* Effect.forkScoped(Stream.runForEach(samples, (sample) => Effect.sync(() => counts.add(sample))))

      const collect = () => {
        const to = new MetricCollection.MetricCollection()
        to.gauge("nsqadmin_info", "Versions of NSQ's protocol and behaviour, and of Node.", 1, {
          version,
          effect_nsq_version: packageVersion,
          node: process.versions.node
        })
        to.counter("nsqadmin_samples_total", "Samples of the cluster.", counts.samples)
        const { last } = counts
        if (last !== undefined) {
          const described = "Time of the last sample, in seconds since the epoch."
          to.gauge("nsqadmin_last_sample_timestamp_seconds", described, last.at / 1000)
          to.gauge("nsqadmin_topics", "Topics of the cluster.", last.figures.topics.size)
          addDaemons(to, counts, last)
          addWarnings(to, mutes.apply(last.warnings))
        }
        requests.addTo(to, "nsqadmin_http_requests_total")
        MetricCollection.addProcess(to, startTime)
        return to
      }
      return AdminMetrics.of({ responded: (status) => requests.add({ code: String(status) }), collect })
    })
  )
}
