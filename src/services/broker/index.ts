/**
 * `effect-nsq/broker`: the broker as Layers, to start, publish to and consume from in process.
 */

/** The registry of topics and channels. */
export { Broker, type Membership, nsqVersion } from "../nsqd/broker/Broker.ts"
export {
  ChannelNotFound,
  LimitReached,
  MetadataError,
  PublishError,
  SubscribeError,
  TopicNotFound
} from "../nsqd/broker/BrokerError.ts"
export { type AnswerResult, Channel } from "../nsqd/broker/Channel.ts"
export { type Client, Clients, type ClientStats } from "../nsqd/broker/Clients.ts"
/** Who says what clients may do over TCP; unless one is provided, everything. */
export { AuthFailed, Authorizer, type Credentials } from "../nsqd/auth/Authorizer.ts"
export type { Grant } from "../nsqd/auth/Grant.ts"
/** Publishing and consuming without a connection. */
export { consume, type ConsumeOptions, type Delivery, publish } from "../nsqd/broker/InProcess.ts"
/** Where every publish passes; the place for checks of one's own. */
export { Publisher } from "../nsqd/broker/Publisher.ts"
export { type Consumer, Subscription, type SubscriptionOptions } from "../nsqd/broker/Subscription.ts"
export { Topic } from "../nsqd/broker/Topic.ts"
/** All options with NSQ's defaults; `Options.layer({ ... })` changes some. */
export * as Options from "../nsqd/options/NsqdOptions.ts"
/** Where messages and metadata are kept when memory is not enough. */
export { Storage, StorageError } from "../nsqd/storage/Storage.ts"
/** Storage in files, in NSQ's formats. Lock the directory first: two brokers must never share one. */
export * as DataDirectory from "../nsqd/storage/DataDirectory.ts"
export * as DiskStorage from "../nsqd/storage/DiskStorage.ts"
export * as NodeDisk from "../nsqd/storage/NodeDisk.ts"
/** The TCP listener, where it notes its port, and the network it listens on. */
export { ListenAddresses } from "../core/ListenAddresses.ts"
export * as NodeTransport from "../net/NodeTransport.ts"
export { type Connection, ListenError, Transport } from "../net/Transport.ts"
export { TcpServer } from "../nsqd/session/TcpServer.ts"
