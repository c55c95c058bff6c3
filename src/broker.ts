/**
 * `effect-nsq/broker`: the broker as Layers, to embed, publish to and consume from in process.
 */

/** The version of this package, and that of NSQ whose behaviour the broker has. */
export { packageVersion, version as nsqVersion } from "./services/core/Version.ts"
/** The registry of topics and channels. */
export { Broker } from "./services/nsqd/broker/Broker.ts"
export { BrokerError, BrokerErrorReason } from "./services/nsqd/broker/BrokerError.ts"
export { Channel } from "./services/nsqd/broker/Channel.ts"
export { type Client, Clients, type ClientStats } from "./services/nsqd/broker/Clients.ts"
/** Decides what clients may do over TCP. Default: everything is allowed. */
export { AuthError, AuthErrorReason } from "./services/nsqd/auth/AuthError.ts"
export { Authorizer, type Credentials } from "./services/nsqd/auth/Authorizer.ts"
/**
 * Authorization by the auth servers of the options.
 *
 * ```ts
 * const Daemon = Nsqd.layerWith({ authHttpAddresses: ["10.0.0.9:4180"] }, { authorizer: AuthServers.layer })
 * ```
 */
export * as AuthServers from "./services/nsqd/auth/AuthServers.ts"
export type { Grant } from "./services/nsqd/auth/Grant.ts"
/** Publishing and consuming without a connection. */
export {
  consume,
  type ConsumeOptions,
  type Delivery,
  publish,
  publishAll,
  type PublishOptions,
  type TypedDelivery,
  type TypedTopic
} from "./services/nsqd/broker/InProcess.ts"
/** Every publish passes through it; replace it to add checks. */
export { areIndependent, bodiesOf, joinBodies, partOf, Publisher } from "./services/nsqd/broker/Publisher.ts"
export {
  type AcknowledgementResult,
  type Consumer,
  Subscription,
  type SubscriptionOptions
} from "./services/nsqd/broker/Subscription.ts"
export { Topic } from "./services/nsqd/broker/Topic.ts"
/** Limits, attempts, dead letters and more by patterns of topics and channels. */
export {
  type FieldInForce,
  type ListedPolicy,
  type OnFull,
  Policy,
  type PolicyField,
  type PolicySource
} from "./protocol/http/PoliciesResponse.ts"
export { Policies } from "./services/nsqd/policies/Policies.ts"
export { PoliciesError, PoliciesErrorReason } from "./services/nsqd/policies/PoliciesError.ts"
export type { InForce } from "./services/nsqd/policies/PolicySet.ts"
export { ChannelPolicy, TopicPolicy } from "./services/nsqd/policies/ResolvedPolicy.ts"
/** The error of options with which a program does not run. */
export { OptionsError, OptionsErrorReason } from "./services/options/OptionsError.ts"
/**
 * All options with NSQ's defaults; `Options.layer({ ... })` changes some.
 *
 * ```ts
 * const Small = Options.layer({ memQueueSize: 1000, msgTimeout: "2 minutes" })
 * ```
 */
export * as Options from "./services/nsqd/options/NsqdOptions.ts"
/** Reads options in a piece of a daemon, which refuses options that no piece reads. */
export { read as readOptions } from "./services/nsqd/options/OptionReads.ts"
/** Storage of messages and metadata that memory does not hold. */
export { StorageError, StorageErrorReason } from "./services/nsqd/disk/StorageError.ts"
export { Storage } from "./services/nsqd/storage/Storage.ts"
/** Files and directories. */
export { Disk, DiskError } from "./services/nsqd/disk/Disk.ts"
/**
 * The disk of the operating system.
 *
 * ```ts
 * const Files = DiskStorage.layer.pipe(Layer.provide(NodeDisk.layer))
 * ```
 */
export * as NodeDisk from "./services/nsqd/disk/NodeDisk.ts"
/**
 * The lock of a data directory.
 *
 * ```ts
 * const Locked = Layer.effectDiscard(DataDirectory.lock("data"))
 * ```
 */
export * as DataDirectory from "./services/nsqd/storage/DataDirectory.ts"
/**
 * Storage in files, in NSQ's formats. Lock the directory first (`DataDirectory`): two brokers must never share it.
 *
 * ```ts
 * const Stored = DiskStorage.layer.pipe(Layer.provide(NodeDisk.layer), Layer.provide(Options.layer({ dataPath: "data" })))
 * ```
 */
export * as DiskStorage from "./services/nsqd/storage/DiskStorage.ts"
/** The TCP listener, the service that holds its port, and the network. */
export { DaemonState } from "./services/core/DaemonState.ts"
export { NetError, NetErrorReason } from "./services/net/NetError.ts"
/**
 * Sockets of Node.
 *
 * ```ts
 * const Listening = TcpServer.layer.pipe(Layer.provide(NodeTransport.layer))
 * ```
 */
export * as NodeTransport from "./services/net/NodeTransport.ts"
export { type Connection, Transport } from "./services/net/Transport.ts"
export { TcpServer } from "./services/nsqd/session/TcpServer.ts"
/** The HTTP API of nsqd, its metrics, and routes of a program. */
export * as HttpRoute from "./services/http/HttpRoute.ts"
export { NsqdHttp } from "./services/nsqd/http/NsqdHttp.ts"
export { Prometheus } from "./services/nsqd/http/Prometheus.ts"
/**
 * TLS of the listeners.
 *
 * ```ts
 * const Tls = ServerTls.layer({
 *   tlsCert: "cert.pem",
 *   tlsKey: "key.pem",
 *   tlsClientAuthPolicy: "",
 *   tlsRootCaFile: "",
 *   tlsMinVersion: "TLSv1.2"
 * })
 * ```
 */
export * as ServerTls from "./services/net/ServerTls.ts"
/** Registration with nsqlookupds, or with another discovery service. */
export type { ChannelDirectory } from "./services/nsqd/broker/ChannelDirectory.ts"
export { LookupRegistration } from "./services/nsqd/lookup/LookupRegistration.ts"
