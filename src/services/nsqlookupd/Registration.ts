/**
 * The data of nsqlookupd's registrations: producers, topics, channels, and the results of queries. Plain data that only
 * `RegistrationDatabase` and `RegistrationKeys` change.
 */
import type { ProducerIdentity } from "../../protocol/lookup/LookupIdentity.ts"

/** A time by both clocks. */
export interface Moment {
  /** Milliseconds. */
  readonly monotonic: number
  /** Nanoseconds since the Unix epoch. */
  readonly wall: bigint
}

/** A connected nsqd. */
export class Producer {
  /** `host:port` of the connection. */
  readonly remoteAddress: string
  readonly identity: ProducerIdentity
  lastUpdate: Moment
  readonly topics = new Set<TopicKey>()
  readonly channels = new Set<ChannelKey>()

  constructor(remoteAddress: string, identity: ProducerIdentity, now: Moment) {
    this.remoteAddress = remoteAddress
    this.identity = identity
    this.lastUpdate = now
  }
}

/** A topic, its producers and its channels. */
export interface TopicKey {
  readonly name: string
  /** Whether the topic itself is registered: channels may outlive an ephemeral topic. */
  known: boolean
  /** The producers of the topic, each with the time of its tombstone. */
  readonly producers: Map<Producer, Moment | undefined>
  readonly channels: Map<string, ChannelKey>
}

/** A channel and its producers. */
export interface ChannelKey {
  readonly topic: TopicKey
  readonly name: string
  readonly producers: Set<Producer>
}

/** A registration in the form of the log. */
export interface Entry {
  readonly category: "client" | "topic" | "channel"
  readonly topic: string
  readonly channel: string
}

/** A producer and its topics; `tombstones` states for each topic whether the producer is hidden there. */
export interface Node {
  readonly producer: Producer
  readonly topics: ReadonlyArray<string>
  readonly tombstones: ReadonlyArray<boolean>
}

/** The result of a lookup: the topic's channels, and its producers that are active and not tombstoned. */
export interface Lookup {
  readonly channels: ReadonlyArray<string>
  readonly producers: ReadonlyArray<Producer>
}

/** One producer under one key of `/debug`. */
export interface DebugEntry {
  readonly key: string
  readonly producer: Producer
  readonly tombstonedAt: Moment | undefined
}

/** Number of topics and channels of a producer. */
export const sizeOf = ({ channels, topics }: Producer): number => topics.size + channels.size
