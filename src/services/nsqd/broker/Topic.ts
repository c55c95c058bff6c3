/**
 * A topic: accepts published messages into its queue, and opens and deletes its channels. The queue hands every message to each
 * channel while the topic is not paused.
 */
import { Effect, Exit, Scope } from "effect"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Durability } from "../options/Durability.ts"
import { Storage } from "../storage/Storage.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import { Channel, type ChannelSettings } from "./Channel.ts"
import { LogTopicQueue } from "./LogTopicQueue.ts"
import { MemoryTopicQueue, type MemoryTopicSettings } from "./MemoryTopicQueue.ts"
import type { Surroundings } from "./Surroundings.ts"
import type { QueueOwner, TopicQueue } from "./TopicQueue.ts"

/** The broker's settings for a topic and its channels. */
export interface TopicSettings extends ChannelSettings, MemoryTopicSettings {
  readonly durabilityOf: (topic: string) => Durability
}

/** Topics, and channels per topic, that are restored or closed concurrently: enough to keep a disk busy. */
export const queuesAtOnce = 8

interface OpenChannel {
  readonly channel: Channel
  readonly scope: Scope.Closeable
}

/**
 * A named stream of messages, each of which is copied to all channels of the topic. Its counters and depths can be read at
 * any time; `Broker` changes it.
 *
 * @since 0.1.0
 * @category models
 */
export class Topic {
  readonly name: TopicName
  readonly ephemeral: boolean
  /** What an `OK` for its messages means. */
  readonly durability: Durability
  private readonly settings: TopicSettings
  private readonly surroundings: Surroundings
  private readonly storage: Storage["Service"]
  private readonly queue: TopicQueue
  private readonly open = new Map<ChannelName, OpenChannel>()
  private started = false
  private isPaused = false
  private isExiting = false
  private messages = 0
  private bytes = 0

  private constructor(
    name: TopicName,
    durability: Durability,
    settings: TopicSettings,
    surroundings: Surroundings,
    storage: Storage["Service"],
    queue: TopicQueue
  ) {
    this.name = name
    this.ephemeral = isEphemeral(name)
    this.durability = durability
    this.settings = settings
    this.surroundings = surroundings
    this.storage = storage
    this.queue = queue
  }

  /**
   * Opens a topic with the messages of its queue. It accepts messages at once and hands them over after `start`. Closing
   * the Scope stops it and its channels and writes messages in memory to disk.
   */
  static readonly make = Effect.fnUntraced(function*(
    name: TopicName,
    settings: TopicSettings,
    surroundings: Surroundings
  ) {
    const storage = yield* Storage
    let topic: Topic | undefined
    const owner: QueueOwner = {
      label: `TOPIC(${name})`,
      channels: () => topic?.channels ?? [],
      isPumping: () => topic?.isPumping === true,
      isExiting: () => topic?.exiting === true,
      count: (messages, bytes) => topic?.count(messages, bytes)
    }
    const durability = settings.durabilityOf(name)
    const queue = durability === "memory"
      ? yield* MemoryTopicQueue.open(name, settings, surroundings, owner)
      : yield* LogTopicQueue.open(name, durability, settings, surroundings, owner)
    const opened = new Topic(name, durability, settings, surroundings, storage, queue)
    topic = opened
    yield* Effect.addFinalizer(() => opened.close)
    return opened
  })

  // ---- statistics

  /** Messages that wait to be handed to the channels. */
  get depth(): number {
    return this.queue.depth
  }
  get backendDepth(): number {
    return this.queue.backendDepth
  }
  /** Number of published messages. */
  get messageCount(): number {
    return this.messages
  }
  /** Bytes of published bodies. */
  get messageBytes(): number {
    return this.bytes
  }
  /** A paused topic hands nothing to its channels. */
  get paused(): boolean {
    return this.isPaused
  }
  /** Whether the topic is being closed or deleted and refuses messages. */
  get exiting(): boolean {
    return this.isExiting
  }
  get channels(): ReadonlyArray<Channel> {
    return Array.from(this.open.values(), ({ channel }) => channel)
  }
  get hasChannels(): boolean {
    return this.open.size > 0
  }
  /** The channels that the topic's log remembers, also if the metadata file does not have them. */
  get storedChannelNames(): ReadonlyArray<string> {
    return this.queue.channelNames
  }
  channel(name: string): Channel | undefined {
    return this.open.get(name as ChannelName)?.channel
  }

  // ---- publishing

  /**
   * Accepts published messages. `undefined` if that is done; otherwise the Effect that stores them, which the publisher
   * has to wait for.
   */
  put(bodies: PublishedBodies, deferMillis: number): Completion<BrokerError> {
    if (this.isExiting) return Effect.fail(brokerError(BrokerErrorReason.Exiting()))
    const refusal = this.storage.refusal()
    if (refusal !== undefined && !this.ephemeral) {
      return Effect.fail(brokerError(BrokerErrorReason.DiskFull({ description: refusal })))
    }
    return this.queue.put(bodies, deferMillis)
  }

  private count(messages: number, bytes: number): void {
    this.messages += messages
    this.bytes += bytes
  }

  // ---- channels

  /** Returns the channel; opens it with the messages of its disk queue if needed. The broker serializes the calls. */
  openChannel(name: ChannelName): Effect.Effect<Channel, StorageError> {
    return Effect.gen({ self: this }, function*() {
      const existing = this.open.get(name)
      if (existing !== undefined) return existing.channel
      const scope = yield* Scope.make()
      const channel = yield* Channel.make(this.name, name, this.queue, this.settings, this.surroundings).pipe(
        Scope.provide(scope),
        Effect.onError(() => Scope.close(scope, Exit.void))
      )
      this.open.set(name, { channel, scope })
      this.queue.wake()
      return channel
    })
  }

  /** Deletes a channel with its messages and disconnects its consumers. */
  deleteChannel(name: ChannelName): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const opened = this.open.get(name)
      if (opened === undefined) return Effect.void
      this.open.delete(name)
      if (this.open.size === 0) this.queue.hold()
      return Effect.ensuring(opened.channel.delete, Scope.close(opened.scope, Exit.void))
    })
  }

  // ---- administration

  pause(): void {
    this.isPaused = true
    this.queue.hold()
  }

  unpause(): void {
    this.isPaused = false
    this.queue.wake()
  }

  /** Refuses messages from now on; closing the Scope follows. */
  refuseMessages(): void {
    this.isExiting = true
  }

  /** Starts handing messages to the channels that exist by now. */
  start(): void {
    this.started = true
    if (this.open.size === 0) this.queue.hold()
    this.queue.wake()
  }

  /** Drops the topic's waiting messages; its channels keep theirs. */
  get empty(): Effect.Effect<void, StorageError> {
    return this.queue.empty
  }

  /** Deletes the topic's channels and files. Closing its Scope follows. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.isExiting = true
      return Effect.andThen(
        Effect.forEach(Array.from(this.open.keys()), (name) => this.deleteChannel(name), { discard: true }),
        this.queue.delete
      )
    })
  }

  private get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.isExiting = true
      yield* this.queue.stop
      for (const { channel } of this.open.values()) channel.closeConsumers()
      yield* Effect.forEach(Array.from(this.open.values()), ({ scope }) => Scope.close(scope, Exit.void), {
        concurrency: queuesAtOnce,
        discard: true
      })
      yield* this.queue.flush
    })
  }

  /** Whether messages may be handed to the channels. */
  private get isPumping(): boolean {
    return this.started && !this.isPaused && !this.isExiting && this.open.size > 0
  }
}
