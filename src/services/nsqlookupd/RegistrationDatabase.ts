/**
 * The registrations of nsqlookupd: the connected producers, and the producers of each topic and channel
 * (docs/protocol/nsqlookupd.md#registrations). In memory only. Topics and channels outlive their producers, as in NSQ, but for
 * a limited time: see `UnusedNames`. Every change that a lookup can show is published.
 *
 * The limits count per producer, so that no producer can exclude another: `maxRegistrationsPerProducer`, and an equal share of
 * `maxRegistrations` once all producers together have that many.
 *
 * Operations are synchronous, hence atomic.
 */
import { Duration, PubSub } from "effect"
import { isEphemeral } from "../../protocol/client/Names.ts"
import type { ProducerIdentity } from "../../protocol/lookup/LookupIdentity.ts"
import type * as Time from "../core/Time.ts"
import { debugEntries } from "./DebugEntries.ts"
import { LookupCounts } from "./LookupCounts.ts"
import type { NsqlookupdOptions } from "./NsqlookupdOptions.ts"
import {
  type ChannelKey,
  type DebugEntry,
  type Entry,
  type Lookup,
  type Moment,
  type Node,
  Producer,
  sizeOf,
  type TopicKey
} from "./Registration.ts"
import { UnusedNames } from "./UnusedNames.ts"

type Options = Pick<
  NsqlookupdOptions,
  | "inactiveProducerTimeout"
  | "tombstoneLifetime"
  | "maxRegistrations"
  | "maxRegistrationsPerProducer"
  | "maxUnusedNames"
  | "unusedNameLifetime"
>

const client: Entry = { category: "client", topic: "", channel: "" }
const topicEntry = ({ name }: TopicKey): Entry => ({ category: "topic", topic: name, channel: "" })
const channelEntry = ({ name, topic }: ChannelKey): Entry => ({ category: "channel", topic: topic.name, channel: name })

/** The name that means all topics in queries. */
const wildcard = "*"

/** The registration database. Methods are synchronous. */
export class RegistrationDatabase {
  /** The names of changed topics. Subscribers must take without delay, because the queue is unbounded. */
  readonly changes: PubSub.PubSub<string>
  /** What nsqlookupd has received since its start. */
  readonly counts = new LookupCounts()

  private readonly topicKeys = new Map<string, TopicKey>()
  private readonly producers = new Set<Producer>()
  private readonly unused: UnusedNames<TopicKey | ChannelKey>
  private readonly options: Options
  /** Number of topics and channels of all producers. */
  private registrations = 0
  private readonly time: Time.Time
  private readonly inactiveMillis: number
  private readonly tombstoneMillis: number

  constructor(
    time: Time.Time,
    options: Options,
    changes: PubSub.PubSub<string>
  ) {
    this.time = time
    this.inactiveMillis = Duration.toMillis(options.inactiveProducerTimeout)
    this.tombstoneMillis = Duration.toMillis(options.tombstoneLifetime)
    this.changes = changes
    this.options = options
    this.unused = new UnusedNames(Duration.toMillis(options.unusedNameLifetime), options.maxUnusedNames)
  }

  // ---- from producers

  /** Adds a producer after its IDENTIFY. */
  identify(remoteAddress: string, identity: ProducerIdentity): Producer {
    const producer = new Producer(remoteAddress, identity, this.now())
    this.producers.add(producer)
    return producer
  }

  /** Records a PING. Returns the milliseconds since the last sign of life. */
  ping(producer: Producer): number {
    const wasActive = this.isActive(producer)
    const before = producer.lastUpdate.monotonic
    producer.lastUpdate = this.now()
    if (!wasActive) { for (const topic of producer.topics) this.changed(topic.name) }
    return producer.lastUpdate.monotonic - before
  }

  /**
   * Registers a topic, or a channel and its topic. Returns the new entries, or the reason of a refusal with the option to
   * change.
   */
  register(producer: Producer, topicName: string, channelName: string | undefined): ReadonlyArray<Entry> | string {
    const known = this.topicKeys.get(topicName)
    const isNew = known?.producers.has(producer) !== true ||
      (channelName !== undefined && known.channels.get(channelName)?.producers.has(producer) !== true)
    const refusal = isNew ? this.refusal(producer) : undefined
    if (refusal !== undefined) return refusal
    const topic = this.addTopic(topicName)
    const channel = channelName === undefined ? undefined : this.addChannel(topic, channelName)
    const added: Array<Entry> = []
    if (channel !== undefined && !channel.producers.has(producer)) {
      channel.producers.add(producer)
      producer.channels.add(channel)
      this.used(channel)
      added.push(channelEntry(channel))
    }
    if (!topic.producers.has(producer)) {
      topic.producers.set(producer, undefined)
      producer.topics.add(topic)
      this.used(topic)
      added.push(topicEntry(topic))
      this.changed(topicName)
    }
    this.registrations += added.length
    this.trim()
    return added
  }

  /** Returns why a registration would exceed a limit, or `undefined` if it may be added. */
  private refusal(producer: Producer): string | undefined {
    const { maxRegistrations, maxRegistrationsPerProducer } = this.options
    const size = sizeOf(producer)
    if (maxRegistrationsPerProducer > 0 && size >= maxRegistrationsPerProducer) {
      return `the limit is ${maxRegistrationsPerProducer} (--max-registrations-per-producer)`
    }
    const share = maxRegistrations / Math.max(1, this.producers.size)
    return maxRegistrations > 0 && this.registrations >= maxRegistrations && size >= share
      ? `the limit of all producers is ${maxRegistrations} (--max-registrations)`
      : undefined
  }

  /** Unregisters a channel, or a topic with all its channels. Returns the removed entries. */
  unregister(producer: Producer, topicName: string, channelName: string | undefined): ReadonlyArray<Entry> {
    const topic = this.topicKeys.get(topicName)
    if (topic === undefined) return []
    const removed: Array<Entry> = []
    if (channelName !== undefined) {
      const channel = topic.channels.get(channelName)
      if (channel === undefined) return []
      if (this.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
      if (channel.producers.size === 0 && isEphemeral(channelName)) this.removeChannel(channel)
      this.trim()
      return removed
    }
    for (const channel of topic.channels.values()) {
      if (this.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
    }
    if (this.leaveTopic(producer, topic)) removed.push(topicEntry(topic))
    if (topic.known && topic.producers.size === 0 && isEphemeral(topicName)) this.removeTopic(topic)
    this.trim()
    return removed
  }

  /** Removes a producer whose connection has ended. Returns the removed entries. */
  disconnect(producer: Producer): ReadonlyArray<Entry> {
    const removed: Array<Entry> = []
    for (const channel of producer.channels) {
      if (this.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
    }
    for (const topic of producer.topics) if (this.leaveTopic(producer, topic)) removed.push(topicEntry(topic))
    if (this.producers.delete(producer)) removed.push(client)
    this.trim()
    return removed
  }

  // ---- from operators

  /** Creates a topic without producers. */
  createTopic(name: string): void {
    this.addTopic(name)
    this.trim()
  }

  /** Creates a channel and its topic without producers. */
  createChannel(topicName: string, name: string): void {
    this.addChannel(this.addTopic(topicName), name)
    this.trim()
  }

  /** Forgets expired unused names. Returns how many were forgotten since the last call. */
  forgetUnused(): number {
    this.trim()
    return this.unused.takeForgotten()
  }

  /**
   * Deletes a topic, or all topics for `*`, with channels and producers; producers are not notified. Returns the removed
   * entries.
   */
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

  /** Deletes a channel. Returns false if it does not exist. */
  deleteChannel(topicName: string, name: string): boolean {
    const channel = this.topicKeys.get(topicName)?.channels.get(name)
    if (channel === undefined) return false
    this.removeChannel(channel)
    return true
  }

  /** Tombstones the producers of a topic with this `broadcast_address:http_port`. */
  tombstone(topicName: string, node: string): void {
    for (const [producer, { topic }] of this.registrationsOf(topicName)) {
      const { broadcast_address, http_port } = producer.identity
      if (`${broadcast_address}:${http_port}` !== node) continue
      topic.producers.set(producer, this.now())
      this.changed(topic.name)
    }
  }

  // ---- queries

  /** Returns the names of all topics. */
  topics(): ReadonlyArray<string> {
    return Array.from(this.topicKeys.values()).filter(({ known }) => known).map(({ name }) => name)
  }

  /** Returns the channels of a topic, or of all topics, with repetitions, for `*`. */
  channels(topicName: string): ReadonlyArray<string> {
    return Array.from(this.matching(topicName)).flatMap(({ channels }) => Array.from(channels.keys()))
  }

  /** Returns the channels and visible producers of a topic, or of all topics for `*`; `undefined` if the topic is unknown. */
  lookup(topicName: string): Lookup | undefined {
    if (!Array.from(this.matching(topicName)).some(({ known }) => known)) return undefined
    const producers: Array<Producer> = []
    for (const [producer, { tombstonedAt }] of this.registrationsOf(topicName)) {
      if (this.isActive(producer) && !this.isTombstoned(tombstonedAt)) producers.push(producer)
    }
    return { channels: this.channels(topicName), producers }
  }

  /** Returns the milliseconds until the passing of time may change the result of `lookup`; Infinity for never. */
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

  /** Returns all active producers. */
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

  /** Returns the numbers of topics, channels, connected and active producers, and of the topics and channels of all producers. */
  sizes(): Readonly<Record<"topics" | "channels" | "producers" | "active" | "entries", number>> {
    let [topics, channels, active] = [0, 0, 0]
    for (const topic of this.topicKeys.values()) {
      if (topic.known) topics++
      channels += topic.channels.size
    }
    for (const producer of this.producers) if (this.isActive(producer)) active++
    return { topics, channels, producers: this.producers.size, active, entries: this.registrations }
  }

  /**
   * Iterates over all producers by key, because all together may exceed the longest string. Concurrent changes may or may not
   * be included.
   */
  debug(): Iterable<DebugEntry> {
    return debugEntries(this.topicKeys, this.producers)
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

  /** Returns the producers of a topic; for `*` those of all topics, each with its first topic. */
  private registrationsOf(name: string) {
    const found = new Map<Producer, { readonly topic: TopicKey; readonly tombstonedAt: Moment | undefined }>()
    for (const topic of this.matching(name)) {
      for (const [producer, tombstonedAt] of topic.producers) {
        if (!found.has(producer)) found.set(producer, { topic, tombstonedAt })
      }
    }
    return found
  }

  private addTopic(name: string): TopicKey {
    const existing = this.topicKeys.get(name)
    if (existing?.known === true) return existing
    const topic = existing ?? { name, known: true, producers: new Map(), channels: new Map() }
    topic.known = true
    this.topicKeys.set(name, topic)
    this.unused.add(topic, this.time.monotonicMillis())
    this.changed(name)
    return topic
  }

  private addChannel(topic: TopicKey, name: string): ChannelKey {
    const existing = topic.channels.get(name)
    if (existing !== undefined) return existing
    const channel = { topic, name, producers: new Set<Producer>() }
    topic.channels.set(name, channel)
    this.unused.add(channel, this.time.monotonicMillis())
    this.changed(topic.name)
    return channel
  }

  private removeTopic(topic: TopicKey): void {
    for (const producer of topic.producers.keys()) producer.topics.delete(topic)
    this.registrations -= topic.producers.size
    topic.producers.clear()
    topic.known = false
    this.used(topic)
    this.forgetEmpty(topic)
    this.changed(topic.name)
  }

  private removeChannel(channel: ChannelKey): void {
    for (const producer of channel.producers) producer.channels.delete(channel)
    this.registrations -= channel.producers.size
    channel.producers.clear()
    channel.topic.channels.delete(channel.name)
    this.used(channel)
    this.forgetEmpty(channel.topic)
    this.changed(channel.topic.name)
  }

  private forgetEmpty(topic: TopicKey): void {
    if (!topic.known && topic.channels.size === 0) this.topicKeys.delete(topic.name)
  }

  /** Removes a name from the unused ones: it has a producer, or is deleted. */
  private used(key: TopicKey | ChannelKey): void {
    this.unused.delete(key)
  }

  /** Forgets unused names beyond the limits of age and number. */
  private trim(): void {
    for (const key of this.unused.forget(this.time.monotonicMillis())) {
      if ("topic" in key) this.removeChannel(key)
      else this.removeTopic(key)
    }
  }

  private leaveChannel(producer: Producer, channel: ChannelKey): boolean {
    producer.channels.delete(channel)
    const removed = channel.producers.delete(producer)
    if (removed) this.registrations--
    if (removed && channel.producers.size === 0) this.unused.add(channel, this.time.monotonicMillis())
    return removed
  }

  private leaveTopic(producer: Producer, topic: TopicKey): boolean {
    producer.topics.delete(topic)
    const removed = topic.producers.delete(producer)
    if (!removed) return false
    this.registrations--
    if (topic.producers.size === 0) this.unused.add(topic, this.time.monotonicMillis())
    this.changed(topic.name)
    return true
  }
}
