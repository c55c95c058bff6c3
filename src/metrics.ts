/**
 * `effect-nsq`'s `metrics`: what watches a broker that a program embeds. The daemon has all of it already.
 */

/** Pushes to statsd under NSQ's names. */
export * as Statsd from "./services/nsqd/metrics/Statsd.ts"
/** UDP, and its Layer over the network. */
export { DatagramError, Datagrams } from "./services/net/Datagrams.ts"
export * as NodeDatagrams from "./services/net/NodeDatagrams.ts"
/** Everything that can be measured, for Effect's exporters. */
export * as NsqdMetrics from "./services/nsqd/metrics/NsqdMetrics.ts"
/** What V8 knows of the memory of this process. */
export { type MemoryStats, ProcessMemory } from "./services/nsqd/stats/ProcessMemory.ts"
