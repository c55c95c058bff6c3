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
/**
 * A bare client of the wire protocol.
 *
 * ```ts
 * it.effect("a broker replies to PUB with OK", () =>
 *   Effect.gen(function*() {
 *     const client = yield* ProtocolClient.connect(TestBroker.address)
 *     yield* client.raw(Buffer.from("  V2PUB orders\n\0\0\0\x03tea"))
 *     const frame = yield* client.frame
 *     assert.strictEqual(frame?.data.toString(), "OK")
 *   }).pipe(Effect.scoped, Effect.provide(TestBroker.layer())))
 * ```
 */
export * as ProtocolClient from "./ProtocolClient.ts"
/** Generators of commands, and of the pieces in which they arrive. */
export * as Generators from "./Generators.ts"
/** The bodies of a batch that is published, and back. */
export { bodiesOf, joinBodies } from "../services/nsqd/broker/Publisher.ts"
/**
 * A network in memory.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const network = yield* MemoryTransport.MemoryNetwork
 *   const peer = yield* network.connect("nsqd:4150")
 *   peer.write(Buffer.from("  V2"))
 * }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layerSeeded(7)))
 * ```
 */
export * as MemoryTransport from "./MemoryTransport.ts"
/**
 * HTTP over the network in memory.
 *
 * ```ts
 * const Network = MemoryHttp.layerClient.pipe(Layer.provideMerge(MemoryTransport.layer))
 * ```
 */
export * as MemoryHttp from "./MemoryHttp.ts"
/** A disk in memory that fails, crashes and loses power on demand. */
export { type DiskOperation, type Fault, FaultyDisk, type ShortWrite } from "./FaultyDisk.ts"
/**
 * UDP in memory.
 *
 * ```ts
 * const Sent = Statsd.layer.pipe(Layer.provideMerge(MemoryDatagrams.layer))
 * ```
 */
export * as MemoryDatagrams from "./MemoryDatagrams.ts"
/**
 * Storage that fails or delays on demand.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const faults = yield* FaultyStorage.StorageFaults
 *   yield* faults.failWrites("no space left on device")
 * }).pipe(Effect.provide(FaultyStorage.layer))
 * ```
 */
export * as FaultyStorage from "./FaultyStorage.ts"
/** Laws for a Storage of your own. */
export { StorageLawError, StorageLawErrorReason } from "./StorageLawError.ts"
export * as StorageLaws from "./StorageLaws.ts"
/**
 * A wall clock that can be set, independently of timers.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const clock = yield* WallClock.WallClock
 *   yield* clock.step(-60_000)
 * }).pipe(Effect.provide(WallClock.layer))
 * ```
 */
export * as WallClock from "./WallClock.ts"
/** Waits until every fiber of a test waits. */
export { Idle, untilIdle } from "./Idle.ts"
/** Advances the TestClock until a condition holds. */
export { eventually } from "./Eventually.ts"
/** Waits until a condition holds. */
export { until } from "./Until.ts"
