/**
 * `metrics` of `effect-nsq`: metrics and statsd for a broker that a program embeds. The daemon includes them.
 */

/**
 * Pushes metrics to statsd under NSQ's names.
 *
 * ```ts
 * const Pushed = Statsd.layer.pipe(Layer.provide([NodeDatagrams.layer, ProcessMemory.layer]))
 * ```
 */
export * as Statsd from "./services/nsqd/metrics/Statsd.ts"
/** UDP, and its Layer on the network. */
export { Datagrams } from "./services/net/Datagrams.ts"
export { NetError, NetErrorReason } from "./services/net/NetError.ts"
/**
 * UDP sockets of Node.
 *
 * ```ts
 * const Pushed = Statsd.layer.pipe(Layer.provide(NodeDatagrams.layer))
 * ```
 */
export * as NodeDatagrams from "./services/net/NodeDatagrams.ts"
/**
 * All metrics of nsqd, for Effect's exporters.
 *
 * ```ts
 * const registry = (sources: NsqdMetrics.Sources) => NsqdMetrics.collect(sources, NsqdMetrics.usualChoice)
 * ```
 */
export * as NsqdMetrics from "./services/nsqd/metrics/NsqdMetrics.ts"
/** Traces and metrics over OTLP. */
export { Telemetry } from "./services/nsqd/metrics/Telemetry.ts"
export { TelemetryError } from "./services/nsqd/metrics/TelemetrySettings.ts"
/** The options of a running nsqd, which `Statsd` follows; `RuntimeOptions.layer` starts with those of the broker. */
export { RuntimeOptions } from "./services/nsqd/options/RuntimeOptions.ts"
export { RuntimeOptionsError, RuntimeOptionsErrorReason } from "./services/nsqd/options/RuntimeOptionsError.ts"
/** V8's statistics of this process's memory. */
export { type MemoryStats, ProcessMemory } from "./services/nsqd/stats/ProcessMemory.ts"
