/**
 * Metrics of a daemon as entries of Effect's metric registry, collected on request, so that unused metrics cost nothing.
 * `PrometheusText` prints them.
 */
import type { Metric } from "effect"
import { performance } from "node:perf_hooks"
import process from "node:process"

/** The labels of a series. */
export type Labels = Readonly<Record<string, string>>

const noLabels: Labels = {}

const nothing = () => {}

/** A registry that is filled once and does not change afterwards. */
export class MetricCollection {
  readonly registry: Metric.MetricRegistry = new Map()

  gauge(id: string, description: string, value: number, attributes = noLabels): void {
    this.add({ id, type: "Gauge", description, attributes }, { value })
  }

  /** A number that only increases during the lifetime of the counted object. */
  counter(id: string, description: string, count: number, attributes = noLabels): void {
    this.add({ id, type: "Counter", description, attributes }, { count, incremental: true })
  }

  /** Adds a series of any type. */
  add<State>(entry: Omit<Metric.Metric.Metadata<never, State>, "hooks">, state: State): void {
    const hooks = { get: () => state, update: nothing, modify: nothing }
    this.registry.set(String(this.registry.size), { ...entry, hooks })
  }
}

/** A gauge's value for a state that is on or off. */
export const switched = (on: boolean): number => on ? 1 : 0

/** Adds the metrics of this process, under the names that Prometheus's client libraries use. `startTime` is in Unix seconds. */
export const addProcess = (to: MetricCollection, startTime: number): void => {
  const { system, user } = process.cpuUsage()
  const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
  to.gauge("process_start_time_seconds", "Start of the daemon, in seconds since the epoch.", startTime)
  to.counter("process_cpu_user_seconds_total", "Processor time spent in the process's own code.", user / 1e6)
  to.counter("process_cpu_system_seconds_total", "Processor time spent in the operating system.", system / 1e6)
  to.counter("process_cpu_seconds_total", "Processor time.", (user + system) / 1e6)
  to.gauge("process_resident_memory_bytes", "Resident memory of the process.", rss)
  to.gauge("nodejs_heap_size_total_bytes", "Size of V8's heap.", heapTotal)
  to.gauge("nodejs_heap_size_used_bytes", "Used part of V8's heap.", heapUsed)
  to.gauge("nodejs_external_memory_bytes", "Size of the buffers outside V8's heap, which hold messages.", external)
  const { active, idle } = performance.eventLoopUtilization()
  to.counter("nodejs_eventloop_active_seconds_total", "Time in which the event loop was busy.", active / 1e3)
  to.counter("nodejs_eventloop_idle_seconds_total", "Time in which the event loop waited.", idle / 1e3)
}

/** The requests to an HTTP API, by path and status. */
export class RequestCounts {
  private readonly counts = new Map<string, { readonly labels: Labels; count: number }>()

  /** Counts a response. Labels have few values: a path is that of a route, not of a request. */
  add(labels: Labels): void {
    const key = JSON.stringify(labels)
    const known = this.counts.get(key)
    if (known === undefined) this.counts.set(key, { labels, count: 1 })
    else known.count++
  }

  /** Adds the counters to a collection, under this name. */
  addTo(to: MetricCollection, id: string): void {
    for (const { count, labels } of this.counts.values()) to.counter(id, "Requests to the HTTP API.", count, labels)
  }
}
