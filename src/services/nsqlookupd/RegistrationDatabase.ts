/**
 * The registrations of nsqlookupd: the connected producers, and the producers of each topic and channel
 * (docs/protocol/nsqlookupd.md#registrations). In memory only. What producers register, operators change and clients look up;
 * `RegistrationKeys` has the topics and channels.
 *
 * The limits count per producer, so that no producer can exclude another: `maxRegistrationsPerProducer`, and an equal share of
 * `maxRegistrations` once all producers together have that many.
 *
 * Operations are synchronous, hence atomic.
 */
import { Duration, type PubSub } from "effect"
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
import { RegistrationKeys } from "./RegistrationKeys.ts"
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

/** The registration database. Methods are synchronous. */
export class RegistrationDatabase {
  /** The names of changed topics. Subscribers must take without delay, because the queue is unbounded. */
  readonly changes: PubSub.PubSub<string>
  /** What nsqlookupd has received since its start. */
  readonly counts = new LookupCounts()

  private readonly keys: RegistrationKeys
  private readonly producers = new Set<Producer>()
  private readonly unused: UnusedNames<TopicKey | ChannelKey>
  private readonly options: Options
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
    this.keys = new RegistrationKeys(time, this.unused, changes)
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
    if (!wasActive) { for (const topic of producer.topics) this.keys.changed(topic.name) }
    return producer.lastUpdate.monotonic - before
  }

  /**
   * Registers a topic, or a channel and its topic. Returns the new entries, or the reason of a refusal with the option to
   * change.
   */
  register(producer: Producer, topicName: string, channelName: string | undefined): ReadonlyArray<Entry> | string {
    const known = this.keys.topic(topicName)
    const isNew = known?.producers.has(producer) !== true ||
      (channelName !== undefined && known.channels.get(channelName)?.producers.has(producer) !== true)
    const refusal = isNew ? this.refusal(producer) : undefined
    if (refusal !== undefined) return refusal
    const topic = this.keys.addTopic(topicName)
    const channel = channelName === undefined ? undefined : this.keys.addChannel(topic, channelName)
    const added: Array<Entry> = []
    if (channel !== undefined && this.keys.joinChannel(producer, channel)) added.push(channelEntry(channel))
    if (this.keys.joinTopic(producer, topic)) added.push(topicEntry(topic))
    this.keys.trim()
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
    return maxRegistrations > 0 && this.keys.count >= maxRegistrations && size >= share
      ? `the limit of all producers is ${maxRegistrations} (--max-registrations)`
      : undefined
  }

  /** Unregisters a channel, or a topic with all its channels. Returns the removed entries. */
  unregister(producer: Producer, topicName: string, channelName: string | undefined): ReadonlyArray<Entry> {
    const topic = this.keys.topic(topicName)
    if (topic === undefined) return []
    const removed: Array<Entry> = []
    if (channelName !== undefined) {
      const channel = topic.channels.get(channelName)
      if (channel === undefined) return []
      if (this.keys.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
      if (channel.producers.size === 0 && isEphemeral(channelName)) this.keys.removeChannel(channel)
      this.keys.trim()
      return removed
    }
    for (const channel of topic.channels.values()) {
      if (this.keys.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
    }
    if (this.keys.leaveTopic(producer, topic)) removed.push(topicEntry(topic))
    if (topic.known && topic.producers.size === 0 && isEphemeral(topicName)) this.keys.removeTopic(topic)
    this.keys.trim()
    return removed
  }

  /** Removes a producer whose connection has ended. Returns the removed entries. */
  disconnect(producer: Producer): ReadonlyArray<Entry> {
    const removed: Array<Entry> = []
    for (const channel of producer.channels) {
      if (this.keys.leaveChannel(producer, channel)) removed.push(channelEntry(channel))
    }
    for (const topic of producer.topics) if (this.keys.leaveTopic(producer, topic)) removed.push(topicEntry(topic))
    if (this.producers.delete(producer)) removed.push(client)
    this.keys.trim()
    return removed
  }

  // ---- from operators

  /** Creates a topic without producers. */
  createTopic(name: string): void {
    this.keys.addTopic(name)
    this.keys.trim()
  }

  /** Creates a channel and its topic without producers. */
  createChannel(topicName: string, name: string): void {
    this.keys.addChannel(this.keys.addTopic(topicName), name)
    this.keys.trim()
  }

  /** Forgets expired unused names. Returns how many were forgotten since the last call. */
  forgetUnused(): number {
    this.keys.trim()
    return this.unused.takeForgotten()
  }

  /**
   * Deletes a topic, or all topics for `*`, with channels and producers; producers are not notified. Returns the removed
   * entries.
   */
  deleteTopic(name: string): ReadonlyArray<Entry> {
    const removed: Array<Entry> = []
    for (const topic of this.keys.matching(name)) {
      for (const channel of topic.channels.values()) {
        removed.push(channelEntry(channel))
        this.keys.removeChannel(channel)
      }
      if (!topic.known) continue
      removed.push(topicEntry(topic))
      this.keys.removeTopic(topic)
    }
    return removed
  }

  /** Deletes a channel. Returns false if it does not exist. */
  deleteChannel(topicName: string, name: string): boolean {
    const channel = this.keys.topic(topicName)?.channels.get(name)
    if (channel === undefined) return false
    this.keys.removeChannel(channel)
    return true
  }

  /** Tombstones the producers of a topic with this `broadcast_address:http_port`. */
  tombstone(topicName: string, node: string): void {
    for (const [producer, { topic }] of this.registrationsOf(topicName)) {
      const { broadcast_address, http_port } = producer.identity
      if (`${broadcast_address}:${http_port}` !== node) continue
      topic.producers.set(producer, this.now())
      this.keys.changed(topic.name)
    }
  }

  // ---- queries

  /** Returns the names of all topics. */
  topics(): ReadonlyArray<string> {
    return Array.from(this.keys.all.values()).filter(({ known }) => known).map(({ name }) => name)
  }

  /** Returns the channels of a topic, or of all topics, with repetitions, for `*`. */
  channels(topicName: string): ReadonlyArray<string> {
    return Array.from(this.keys.matching(topicName)).flatMap(({ channels }) => Array.from(channels.keys()))
  }

  /** Returns the channels and visible producers of a topic, or of all topics for `*`; `undefined` if the topic is unknown. */
  lookup(topicName: string): Lookup | undefined {
    if (!Array.from(this.keys.matching(topicName)).some(({ known }) => known)) return undefined
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
    for (const [producer, tombstonedAt] of this.keys.topic(topicName)?.producers ?? []) {
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
    for (const topic of this.keys.all.values()) {
      if (topic.known) topics++
      channels += topic.channels.size
    }
    for (const producer of this.producers) if (this.isActive(producer)) active++
    return { topics, channels, producers: this.producers.size, active, entries: this.keys.count }
  }

  /**
   * Iterates over all producers by key, because all together may exceed the longest string. Concurrent changes may or may not
   * be included.
   */
  debug(): Iterable<DebugEntry> {
    return debugEntries(this.keys.all, this.producers)
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

  /** Returns the producers of a topic; for `*` those of all topics, each with its first topic. */
  private registrationsOf(name: string) {
    const found = new Map<Producer, { readonly topic: TopicKey; readonly tombstonedAt: Moment | undefined }>()
    for (const topic of this.keys.matching(name)) {
      for (const [producer, tombstonedAt] of topic.producers) {
        if (!found.has(producer)) found.set(producer, { topic, tombstonedAt })
      }
    }
    return found
  }
}
