/**
 * `effect-nsq/testing`: what programs need to test against a broker in process.
 */

/** A whole broker in memory, under the test's clock. */
export * as TestBroker from "./TestBroker.ts"
/** A bare client of the wire protocol. */
export * as ProtocolClient from "./ProtocolClient.ts"
/** A network in memory. */
export * as MemoryTransport from "./MemoryTransport.ts"
/** A disk in memory that fails and loses power on demand. */
export { type DiskOperation, type Fault, FaultyDisk } from "./FaultyDisk.ts"
/** UDP in memory. */
export * as MemoryDatagrams from "./MemoryDatagrams.ts"
/** Storage that fails and dawdles on command. */
export * as FaultyStorage from "./FaultyStorage.ts"
/** A wall clock that can be set while time goes on. */
export * as WallClock from "./WallClock.ts"
