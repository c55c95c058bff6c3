/**
 * What nsqlookupd knows: the producers that are connected, and for topics and channels which of them have it (section 3 of
 * the nsqlookupd notes). In memory only. Topics and channels stay known when their producers go, as in NSQ. Every change of
 * what can be looked up is published; the network is none of its business.
 *
 * Operations are synchronous: nobody sees half a change.
 */
import { Duration, PubSub } from "effect"
import type { ProducerIdentity } from "../../protocol/LookupIdentity.ts"
import { isEphemeral } from "../../protocol/Names.ts"
import type * as Time from "../broker/Time.ts"
import type { LookupdOptions } from "../options/LookupdOptions.ts"

/** Topics and channels known in all; names stay known for ever, so that somebody has to stop their number growing. */
const maxKeys = 1_000_000
/** Topics and channels one producer may have. */
const maxKeysPerProducer = 250_000

/** A moment by both clocks. */
interface Moment {
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

interface TopicKey {
  readonly name: string
  /** Channels can be known without their topic, once an ephemeral topic is gone. */
  known: boolean
  /** Who has the topic, and since when it is tombstoned there. */
  readonly producers: Map<Producer, Moment | undefined>
  readonly channels: Map<string, ChannelKey>
}

interface ChannelKey {
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

const client: Entry = { category: "client", topic: "", channel: "" }
const topicEntry = ({ name }: TopicKey): Entry => ({ category: "topic", topic: name, channel: "" })
const channelEntry = ({ name, topic }: ChannelKey): Entry => ({ category: "channel", topic: topic.name, channel: name })

/** Every topic, in queries. */
const wildcard = "*"

export class RegistrationDatabase {
  /**
   * The names of topics of which something has changed. A subscriber must take what comes without waiting for anything else,
   * because nothing of it is ever dropped.
   */
  readonly changes: PubSub.PubSub<string>

  private readonly topicKeys = new Map<string, TopicKey>()
  private readonly producers = new Set<Producer>()
  private keys = 0
  private readonly time: Time.Time
  private readonly inactiveMillis: number
  private readonly tombstoneMillis: number

  constructor(
    time: Time.Time,
    options: Pick<LookupdOptions, "inactiveProducerTimeout" | "tombstoneLifetime">,
    changes: PubSub.PubSub<string>
  ) {
    this.time = time
    this.inactiveMillis = Duration.toMillis(options.inactiveProducerTimeout)
    this.tombstoneMillis = Duration.toMillis(options.tombstoneLifetime)
    this.changes = changes
  }

  // ---- from producers

  /** A producer has introduced itself. */
  identify(remoteAddress: string, identity: ProducerIdentity): Producer {
    const producer = new Producer(remoteAddress, identity, this.now())
    this.producers.add(producer)
    return producer
  }

  /** The producer is alive; returns the milliseconds since it was heard of last. */
  ping(producer: Producer): number {
    const wasActive = this.isActive(producer)
    const before = producer.lastUpdate.monotonic
    producer.lastUpdate = this.now()
    if (!wasActive) { for (const topic of producer.topics) this.changed(topic.name) }
    return producer.lastUpdate.monotonic - before
  }

  /** The producer has this topic, or this channel and with it its topic. Returns what is new, `undefined` when it is too much. */
  register(producer: Producer, topicName: string, channelName: string | undefined): ReadonlyArray<Entry> | undefined {
    if (producer.topics.size + producer.channels.size >= maxKeysPerProducer) return undefined
    const topic = this.addTopic(topicName)
    const channel = topic === undefined || channelName === undefined ? undefined : this.addChannel(topic, channelName)
    if (topic === undefined || (channelName !== undefined && channel === undefined)) return undefined
    const added: Array<Entry> = []
    if (channel !== undefined && !channel.producers.has(producer)) {
      channel.producers.add(producer)
      producer.channels.add(channel)
      added.push(channelEntry(channel))
    }
    if (!topic.producers.has(producer)) {
      topic.producers.set(producer, undefined)
      producer.topics.add(topic)
      added.push(topicEntry(topic))
      this.changed(topicName)
    }
    return added
  }

  /** The producer no longer has this channel, or this topic with all its channels. Returns what is gone. */
  unregister(producer: Producer, topicName: string, channelName: string | undefined): ReadonlyArray<Entry> {
    const topic = this.topicKeys.get(topicName)
    if (topic === undefined) return []
    const removed: Array<Entry> = []
    if (channelName !== undefined) {
      const channel = topic.channels.get(channelName)
      if (channel === undefined) return []
      if (this.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
      if (channel.producers.size === 0 && isEphemeral(channelName)) this.removeChannel(channel)
      return removed
    }
    for (const channel of topic.channels.values()) {
      if (this.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
    }
    if (this.leaveTopic(producer, topic)) removed.push(topicEntry(topic))
    if (topic.known && topic.producers.size === 0 && isEphemeral(topicName)) this.removeTopic(topic)
    return removed
  }

  /** The producer's connection has ended. Returns what is gone with it. */
  disconnect(producer: Producer): ReadonlyArray<Entry> {
    const removed: Array<Entry> = []
    for (const channel of producer.channels) {
      if (this.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
    }
    for (const topic of producer.topics) if (this.leaveTopic(producer, topic)) removed.push(topicEntry(topic))
    if (this.producers.delete(producer)) removed.push(client)
    return removed
  }

  // ---- from operators

  /** Makes a topic known; false when there are too many. */
  createTopic(name: string): boolean {
    return this.addTopic(name) !== undefined
  }

  /** Makes a channel and its topic known; false when there are too many. */
  createChannel(topicName: string, name: string): boolean {
    const topic = this.addTopic(topicName)
    return topic !== undefined && this.addChannel(topic, name) !== undefined
  }

  /** Forgets a topic, or all, with channels and producers; producers are not told. Returns what is gone. */
  deleteTopic(name: string): ReadonlyArray<Entry> {
    const removed: Array<Entry> = []
    for (const topic of this.matching(name)) {
      for (const channel of topic.channels.values()) {
        removed.push(channelEntry(channel))
        this.removeChannel(channel)
      }
      if (!topic.known) continue
      removed.push(topicEntry(topic))
      this.removeTopic(topic)
    }
    return removed
  }

  /** Forgets a channel; false when it is not known. */
  deleteChannel(topicName: string, name: string): boolean {
    const channel = this.topicKeys.get(topicName)?.channels.get(name)
    if (channel === undefined) return false
    this.removeChannel(channel)
    return true
  }

  /** Hides the producers of a topic that announce this `broadcast_address:http_port`, for a while. */
  tombstone(topicName: string, node: string): void {
    for (const [producer, { topic }] of this.registrationsOf(topicName)) {
      const { broadcast_address, http_port } = producer.identity
      if (`${broadcast_address}:${http_port}` !== node) continue
      topic.producers.set(producer, this.now())
      this.changed(topic.name)
    }
  }

  // ---- queries

  topics(): ReadonlyArray<string> {
    return Array.from(this.topicKeys.values()).filter(({ known }) => known).map(({ name }) => name)
  }

  /** The channels known for a topic; of all topics, with repetitions, for `*`. */
  channels(topicName: string): ReadonlyArray<string> {
    return Array.from(this.matching(topicName)).flatMap(({ channels }) => Array.from(channels.keys()))
  }

  /** What is known of a topic, or of all; `undefined` when there is no such topic. */
  lookup(topicName: string): Lookup | undefined {
    if (!Array.from(this.matching(topicName)).some(({ known }) => known)) return undefined
    const producers: Array<Producer> = []
    for (const [producer, { tombstonedAt }] of this.registrationsOf(topicName)) {
      if (this.isActive(producer) && !this.isTombstoned(tombstonedAt)) producers.push(producer)
    }
    return { channels: this.channels(topicName), producers }
  }

  /** After how many milliseconds time alone may change what `lookup` gives; Infinity for never. */
  millisUntilChange(topicName: string): number {
    const now = this.time.monotonicMillis()
    let next = Infinity
    for (const [producer, tombstonedAt] of this.topicKeys.get(topicName)?.producers ?? []) {
      for (
        const until of [
          producer.lastUpdate.monotonic + this.inactiveMillis,
          tombstonedAt === undefined ? Infinity : tombstonedAt.monotonic + this.tombstoneMillis
        ]
      ) {
        if (until >= now) next = Math.min(next, until - now)
      }
    }
    return next
  }

  /** All active producers. */
  nodes(): ReadonlyArray<Node> {
    return Array.from(this.producers).filter((producer) => this.isActive(producer)).map((producer) => {
      const topics = Array.from(producer.topics)
      return {
        producer,
        topics: topics.map(({ name }) => name),
        tombstones: topics.map(({ producers }) => this.isTombstoned(producers.get(producer)))
      }
    })
  }

  /** Everything that has producers, ordered by key. */
  debug(): ReadonlyArray<DebugEntry> {
    const entries: Array<DebugEntry> = Array.from(
      this.producers,
      (producer) => ({ key: "client::", producer, tombstonedAt: undefined })
    )
    for (const { channels, name, producers } of this.topicKeys.values()) {
      for (const [producer, tombstonedAt] of producers) {
        entries.push({ key: `topic:${name}:`, producer, tombstonedAt })
      }
      for (const channel of channels.values()) {
        for (const producer of channel.producers) {
          entries.push({ key: `channel:${name}:${channel.name}`, producer, tombstonedAt: undefined })
        }
      }
    }
    return entries.sort((a, b) => a.key < b.key ? -1 : a.key === b.key ? 0 : 1)
  }

  // ---- keys

  private changed(topic: string): void {
    PubSub.publishUnsafe(this.changes, topic)
  }

  private now(): Moment {
    return { monotonic: this.time.monotonicMillis(), wall: this.time.wallNanos() }
  }

  private isActive({ lastUpdate }: Producer): boolean {
    return this.time.monotonicMillis() - lastUpdate.monotonic <= this.inactiveMillis
  }

  private isTombstoned(at: Moment | undefined): boolean {
    return at !== undefined && this.time.monotonicMillis() - at.monotonic < this.tombstoneMillis
  }

  private matching(name: string): Iterable<TopicKey> {
    if (name === wildcard) return this.topicKeys.values()
    const topic = this.topicKeys.get(name)
    return topic === undefined ? [] : [topic]
  }

  /** The producers of a topic; of all topics, each with the first that it has, for `*`. */
  private registrationsOf(name: string) {
    const found = new Map<Producer, { readonly topic: TopicKey; readonly tombstonedAt: Moment | undefined }>()
    for (const topic of this.matching(name)) {
      for (const [producer, tombstonedAt] of topic.producers) {
        if (!found.has(producer)) found.set(producer, { topic, tombstonedAt })
      }
    }
    return found
  }

  private addTopic(name: string): TopicKey | undefined {
    const existing = this.topicKeys.get(name)
    if (existing?.known === true) return existing
    if (this.keys >= maxKeys) return undefined
    this.keys++
    const topic = existing ?? { name, known: true, producers: new Map(), channels: new Map() }
    topic.known = true
    this.topicKeys.set(name, topic)
    this.changed(name)
    return topic
  }

  private addChannel(topic: TopicKey, name: string): ChannelKey | undefined {
    const existing = topic.channels.get(name)
    if (existing !== undefined) return existing
    if (this.keys >= maxKeys) return undefined
    this.keys++
    const channel = { topic, name, producers: new Set<Producer>() }
    topic.channels.set(name, channel)
    this.changed(topic.name)
    return channel
  }

  private removeTopic(topic: TopicKey): void {
    for (const producer of topic.producers.keys()) producer.topics.delete(topic)
    topic.producers.clear()
    topic.known = false
    this.keys--
    this.forgetEmpty(topic)
    this.changed(topic.name)
  }

  private removeChannel(channel: ChannelKey): void {
    for (const producer of channel.producers) producer.channels.delete(channel)
    channel.topic.channels.delete(channel.name)
    this.keys--
    this.forgetEmpty(channel.topic)
    this.changed(channel.topic.name)
  }

  private forgetEmpty(topic: TopicKey): void {
    if (!topic.known && topic.channels.size === 0) this.topicKeys.delete(topic.name)
  }

  private leaveChannel(producer: Producer, channel: ChannelKey): boolean {
    producer.channels.delete(channel)
    return channel.producers.delete(producer)
  }

  private leaveTopic(producer: Producer, topic: TopicKey): boolean {
    producer.topics.delete(topic)
    const removed = topic.producers.delete(producer)
    if (removed) this.changed(topic.name)
    return removed
  }
}
