/**
 * `effect-nsq/client`: a producer and a consumer for nsqd, this project's or NSQ's own.
 */

export { ClientError, ClientErrorReason, type ServerFailure } from "./ClientError.ts"
/** Topics of values, `Topic.make("orders", Order)`, and of bytes, `Topic.bytes("raw")`. */
export * as Topic from "./ClientTopic.ts"
export type { ConnectionOptions } from "./ConnectionOptions.ts"
/** The states of the connections of a Producer or Consumer. */
export { ConnectionState } from "./Connections.ts"
export * as Consumer from "./Consumer.ts"
export type { BatchOptions, ConsumerOptions, DeduplicateOptions, RunOptions } from "./Consumer.ts"
/** The envelope of messages that consumers gave up. */
export * as DeadLetter from "./DeadLetter.ts"
export { Decision } from "./Decision.ts"
export type { Delivery } from "./Delivery.ts"
/**
 * Finds the nsqd of a topic.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const topics = yield* Discovery.topics("127.0.0.1:4161")
 *   const nsqds = yield* Discovery.lookup("127.0.0.1:4161", "orders")
 *   return { topics, nsqds }
 * }).pipe(Effect.provide(NodeClient.layer))
 * ```
 */
export * as Discovery from "./Discovery.ts"
export type { Servers } from "./Discovery.ts"
/** Sockets and HTTP on Node, which producers and consumers require. */
export * as NodeClient from "./NodeClient.ts"
/**
 * A connection to one nsqd, for custom clients.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const connection = yield* NsqdConnection.open("127.0.0.1:4150", { compression: "snappy" })
 *   return connection.features.max_rdy_count
 * }).pipe(Effect.scoped, Effect.provide(NodeClient.layer))
 * ```
 */
export * as NsqdConnection from "./NsqdConnection.ts"
export * as Producer from "./Producer.ts"
export type { ProducerOptions } from "./Producer.ts"
export type { TlsOptions } from "./TlsOptions.ts"
