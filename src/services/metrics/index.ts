/**
 * `effect-nsq`'s `metrics`: what watches a broker that a program embeds. The daemon has all of it already.
 */

/** Pushes to statsd under NSQ's names. */
export * as Statsd from "../nsqd/metrics/Statsd.ts"
/** UDP, and its Layer over the network. */
export { DatagramError, Datagrams } from "../net/Datagrams.ts"
export * as NodeDatagrams from "../net/NodeDatagrams.ts"
/** Everything that can be measured, for Effect's exporters. */
export * as NsqdMetrics from "../nsqd/metrics/NsqdMetrics.ts"
/** What V8 knows of the memory of this process. */
export { type MemoryStats, ProcessMemory } from "../nsqd/stats/ProcessMemory.ts"
