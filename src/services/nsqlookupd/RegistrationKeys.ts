/**
 * The topics and channels of the registrations, and which producers have them. They outlive their producers, as in NSQ, but for a limited
 * time: see `UnusedNames`. Every change that a lookup can show is published.
 */
import { PubSub } from "effect"
import type * as Time from "../core/Time.ts"
import type { ChannelKey, Producer, TopicKey } from "./Registration.ts"
import type { UnusedNames } from "./UnusedNames.ts"

/** The name that means all topics in queries. */
const wildcard = "*"

export class RegistrationKeys {
  private readonly topics = new Map<string, TopicKey>()
  private readonly unused: UnusedNames<TopicKey | ChannelKey>
  private readonly time: Time.Time
  private readonly changes: PubSub.PubSub<string>
  private registrations = 0

  /** `changes` gets the names of changed topics. */
  constructor(time: Time.Time, unused: UnusedNames<TopicKey | ChannelKey>, changes: PubSub.PubSub<string>) {
    this.time = time
    this.unused = unused
    this.changes = changes
  }

  /** Number of topics and channels of all producers. */
  get count(): number {
    return this.registrations
  }
  /** The topics by name, those that only have channels included. */
  get all(): ReadonlyMap<string, TopicKey> {
    return this.topics
  }
  topic(name: string): TopicKey | undefined {
    return this.topics.get(name)
  }
  /** The topic of this name, or all topics for `*`. */
  matching(name: string): Iterable<TopicKey> {
    if (name === wildcard) return this.topics.values()
    const topic = this.topics.get(name)
    return topic === undefined ? [] : [topic]
  }

  /** Publishes that a lookup of the topic may have another result. */
  changed(topic: string): void {
    PubSub.publishUnsafe(this.changes, topic)
  }

  // ---- names

  /** Returns the topic; adds it if needed. */
  addTopic(name: string): TopicKey {
    const existing = this.topics.get(name)
    if (existing?.known === true) return existing
    const topic = existing ?? { name, known: true, producers: new Map(), channels: new Map() }
    topic.known = true
    this.topics.set(name, topic)
    this.unused.add(topic, this.time.monotonicMillis())
    this.changed(name)
    return topic
  }

  /** Returns the channel; adds it if needed. */
  addChannel(topic: TopicKey, name: string): ChannelKey {
    const existing = topic.channels.get(name)
    if (existing !== undefined) return existing
    const channel = { topic, name, producers: new Set<Producer>() }
    topic.channels.set(name, channel)
    this.unused.add(channel, this.time.monotonicMillis())
    this.changed(topic.name)
    return channel
  }

  /** Removes a topic from its producers; its channels stay. */
  removeTopic(topic: TopicKey): void {
    for (const producer of topic.producers.keys()) producer.topics.delete(topic)
    this.registrations -= topic.producers.size
    topic.producers.clear()
    topic.known = false
    this.unused.delete(topic)
    this.forgetEmpty(topic)
    this.changed(topic.name)
  }

  removeChannel(channel: ChannelKey): void {
    for (const producer of channel.producers) producer.channels.delete(channel)
    this.registrations -= channel.producers.size
    channel.producers.clear()
    channel.topic.channels.delete(channel.name)
    this.unused.delete(channel)
    this.forgetEmpty(channel.topic)
    this.changed(channel.topic.name)
  }

  private forgetEmpty(topic: TopicKey): void {
    if (!topic.known && topic.channels.size === 0) this.topics.delete(topic.name)
  }

  /** Forgets unused names beyond the limits of age and number. */
  trim(): void {
    for (const key of this.unused.forget(this.time.monotonicMillis())) {
      if ("topic" in key) this.removeChannel(key)
      else this.removeTopic(key)
    }
  }

  // ---- producers

  /** Returns whether the producer is new to the topic. */
  joinTopic(producer: Producer, topic: TopicKey): boolean {
    if (topic.producers.has(producer)) return false
    topic.producers.set(producer, undefined)
    producer.topics.add(topic)
    this.registrations++
    this.unused.delete(topic)
    this.changed(topic.name)
    return true
  }

  /** Returns whether the producer is new to the channel. */
  joinChannel(producer: Producer, channel: ChannelKey): boolean {
    if (channel.producers.has(producer)) return false
    channel.producers.add(producer)
    producer.channels.add(channel)
    this.registrations++
    this.unused.delete(channel)
    return true
  }

  /** Returns whether the producer had the topic. */
  leaveTopic(producer: Producer, topic: TopicKey): boolean {
    producer.topics.delete(topic)
    const removed = topic.producers.delete(producer)
    if (!removed) return false
    this.registrations--
    if (topic.producers.size === 0) this.unused.add(topic, this.time.monotonicMillis())
    this.changed(topic.name)
    return true
  }

  /** Returns whether the producer had the channel. */
  leaveChannel(producer: Producer, channel: ChannelKey): boolean {
    producer.channels.delete(channel)
    const removed = channel.producers.delete(producer)
    if (removed) this.registrations--
    if (removed && channel.producers.size === 0) this.unused.add(channel, this.time.monotonicMillis())
    return removed
  }
}
