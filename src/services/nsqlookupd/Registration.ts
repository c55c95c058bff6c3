/**
 * What the registrations of nsqlookupd consist of: producers, topics, channels, and the forms in which they are looked up.
 * Plain data; `RegistrationDatabase` alone changes it.
 */
import type { ProducerIdentity } from "../../protocol/lookup/LookupIdentity.ts"

/** A moment by both clocks. */
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

export interface TopicKey {
  readonly name: string
  /** Channels can be known without their topic, once an ephemeral topic is gone. */
  known: boolean
  /** Who has the topic, and since when it is tombstoned there. */
  readonly producers: Map<Producer, Moment | undefined>
  readonly channels: Map<string, ChannelKey>
}

export interface ChannelKey {
  readonly topic: TopicKey
  readonly name: string
  readonly producers: Set<Producer>
}

/** A registration as the log names it. */
export interface Entry {
  readonly category: "client" | "topic" | "channel"
  readonly topic: string
  readonly channel: string
}

/** A producer and its topics; `tombstones` tells for each topic whether the producer is hidden there. */
export interface Node {
  readonly producer: Producer
  readonly topics: ReadonlyArray<string>
  readonly tombstones: ReadonlyArray<boolean>
}

/** A topic as it is looked up: producers that are active and not tombstoned. */
export interface Lookup {
  readonly channels: ReadonlyArray<string>
  readonly producers: ReadonlyArray<Producer>
}

/** One producer under one key, with all that is known of it. */
export interface DebugEntry {
  readonly key: string
  readonly producer: Producer
  readonly tombstonedAt: Moment | undefined
}

/** How many topics and channels `producer` has. */
export const sizeOf = ({ channels, topics }: Producer): number => topics.size + channels.size
