/**
 * `effect-nsq/broker`: the broker as Layers, to start, publish to and consume from in process.
 */

/** The registry of topics and channels. */
export { Broker, type Membership, nsqVersion } from "./services/nsqd/broker/Broker.ts"
export {
  ChannelNotFound,
  LimitReached,
  MetadataError,
  PublishError,
  SubscribeError,
  TopicNotFound
} from "./services/nsqd/broker/BrokerError.ts"
export { type AnswerResult, Channel } from "./services/nsqd/broker/Channel.ts"
export { type Client, Clients, type ClientStats } from "./services/nsqd/broker/Clients.ts"
/** Who says what clients may do over TCP; unless one is provided, everything. */
export { AuthFailed, Authorizer, type Credentials } from "./services/nsqd/auth/Authorizer.ts"
export type { Grant } from "./services/nsqd/auth/Grant.ts"
/** Publishing and consuming without a connection. */
export { consume, type ConsumeOptions, type Delivery, publish } from "./services/nsqd/broker/InProcess.ts"
/** Where every publish passes; the place for checks of one's own. */
export { Publisher } from "./services/nsqd/broker/Publisher.ts"
export { type Consumer, Subscription, type SubscriptionOptions } from "./services/nsqd/broker/Subscription.ts"
export { Topic } from "./services/nsqd/broker/Topic.ts"
/** All options with NSQ's defaults; `Options.layer({ ... })` changes some. */
export * as Options from "./services/nsqd/options/NsqdOptions.ts"
/** Where messages and metadata are kept when memory is not enough. */
export { Storage, StorageError } from "./services/nsqd/storage/Storage.ts"
/** Storage in files, in NSQ's formats. Lock the directory first: two brokers must never share one. */
export * as DataDirectory from "./services/nsqd/storage/DataDirectory.ts"
export * as DiskStorage from "./services/nsqd/storage/DiskStorage.ts"
export * as NodeDisk from "./services/nsqd/storage/NodeDisk.ts"
/** The TCP listener, where it notes its port, and the network it listens on. */
export { DaemonState } from "./services/core/DaemonState.ts"
export * as NodeTransport from "./services/net/NodeTransport.ts"
export { type Connection, ListenError, Transport } from "./services/net/Transport.ts"
export { TcpServer } from "./services/nsqd/session/TcpServer.ts"
