/**
 * `effect-nsq/testing`: a broker in process for tests of programs, with faults on demand.
 */

/** A complete broker in memory, under the TestClock. */
export * as TestBroker from "./TestBroker.ts"
/** A cluster of nsqd and nsqlookupd in one process. */
export {
  type ClusterNode,
  type NsqdNode,
  type NsqdServices,
  type NsqlookupdNode,
  TestCluster,
  type TestClusterOptions
} from "./TestCluster.ts"
/** The registrations that an nsqlookupd of a cluster gives out. */
export { Registrations } from "../services/nsqlookupd/Registrations.ts"
/** A bare client of the wire protocol. */
export * as ProtocolClient from "./ProtocolClient.ts"
/** Generators of commands, and of the pieces in which they arrive. */
export * as Generators from "./Generators.ts"
/** The bodies of a batch that is published, and back. */
export { bodiesOf, joinBodies } from "../services/nsqd/broker/Publisher.ts"
/** A network in memory. */
export * as MemoryTransport from "./MemoryTransport.ts"
/** HTTP over the network in memory. */
export * as MemoryHttp from "./MemoryHttp.ts"
/** A disk in memory that fails, crashes and loses power on demand. */
export { type DiskOperation, type Fault, FaultyDisk, type ShortWrite } from "./FaultyDisk.ts"
/** UDP in memory. */
export * as MemoryDatagrams from "./MemoryDatagrams.ts"
/** Storage that fails or delays on demand. */
export * as FaultyStorage from "./FaultyStorage.ts"
/** Laws for a Storage of your own. */
export { StorageLawError, StorageLawErrorReason } from "./StorageLawError.ts"
export * as StorageLaws from "./StorageLaws.ts"
/** A wall clock that can be set, independently of timers. */
export * as WallClock from "./WallClock.ts"
/** Waits until every fiber of a test waits. */
export { Idle, untilIdle } from "./Idle.ts"
/** Advances the TestClock until a condition holds. */
export { eventually } from "./Eventually.ts"
/** Waits until a condition holds. */
export { until } from "./Until.ts"
