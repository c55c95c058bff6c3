/**
 * `effect-nsq/broker`: the broker as Layers, to start, publish to and consume from in process.
 */

/** The registry of topics and channels. */
export { Broker, type Membership, nsqVersion } from "./Broker.ts"
export { ChannelNotFound, PublishError, SubscribeError, TopicNotFound } from "./BrokerError.ts"
export { type AnswerResult, Channel } from "./Channel.ts"
export { type Client, Clients, type ClientStats } from "./Clients.ts"
/** Publishing and consuming without a connection. */
export { consume, type ConsumeOptions, type Delivery, publish } from "./InProcess.ts"
/** Where every publish passes; the place for checks of one's own. */
export { Publisher } from "./Publisher.ts"
export { type Consumer, Subscription, type SubscriptionOptions } from "./Subscription.ts"
export { Topic } from "./Topic.ts"
/** All options with NSQ's defaults; provide changed ones as a Layer. */
export { NsqdOptions } from "../options/NsqdOptions.ts"
/** Where messages and metadata are kept when memory is not enough. */
export { Storage, StorageError } from "../storage/Storage.ts"
/** The TCP listener, and the network it listens on. */
export * as NodeTransport from "../transport/NodeTransport.ts"
export { TcpServer } from "../transport/TcpServer.ts"
export { type Connection, ListenError, Transport } from "../transport/Transport.ts"
