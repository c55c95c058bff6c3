/**
 * A topic: accepts published messages into its queue, and opens and deletes its channels. The queue hands every message to each
 * channel while the topic is not paused.
 */
import { Deferred, Effect, Exit, Scope } from "effect"
import { GuidGenerator } from "../../../protocol/client/Guid.ts"
import type { PublishedBodies } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import type * as Completion from "../../core/Completion.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { TopicLog } from "../log/TopicLog.ts"
import type { Durability } from "../options/Durability.ts"
import type { TopicPolicy } from "../policies/ResolvedPolicy.ts"
import { Storage } from "../storage/Storage.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import { type Handover, opening } from "./Carried.ts"
import { Channel, type ChannelSettings } from "./Channel.ts"
import { Deduplication } from "./Deduplication.ts"
import * as LargeBatches from "./LargeBatches.ts"
import { type MemoryContents, topicContents } from "./MemoryContents.ts"
import type { MemoryTopicSettings } from "./MemoryTopicQueue.ts"
import { OpenChannels } from "./OpenChannels.ts"
import { type OpenQueue, openQueue, replaceQueue } from "./QueueReplacement.ts"
import type { Surroundings } from "./Surroundings.ts"
import { TopicLimits } from "./TopicLimits.ts"
import type { QueueOwner, TopicQueue } from "./TopicQueue.ts"

/** The broker's settings for a topic and its channels. */
export interface TopicSettings extends ChannelSettings, MemoryTopicSettings {
  readonly durabilityOf: (topic: string) => Durability
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
  /** The policy in force; changes in place. */
  readonly policy: TopicPolicy
  private readonly settings: TopicSettings
  private readonly surroundings: Surroundings
  private readonly storage: Storage["Service"]
  private readonly owner: QueueOwner
  private opened: OpenQueue
  /** Completes when the queue is replaced, if that is being done. */
  private moving: Effect.Effect<void> | undefined
  private readonly open = new OpenChannels()
  private started = false
  private isPaused = false
  private isExiting = false
  private messages = 0
  private bytes = 0
  private refused = 0
  /** Present since a policy had a limit; `isChecked` while one has. */
  private limits: TopicLimits | undefined
  private isChecked = false
  /** Present since a publish had a key. */
  private keys: Deduplication | undefined

  private constructor(
    name: TopicName,
    settings: TopicSettings,
    surroundings: Surroundings,
    storage: Storage["Service"],
    owner: QueueOwner,
    opened: OpenQueue
  ) {
    this.name = name
    this.ephemeral = isEphemeral(name)
    this.settings = settings
    this.policy = settings.policies.topic(name)
    this.surroundings = surroundings
    this.storage = storage
    this.owner = owner
    this.opened = opened
    this.policy.owner = this
    this.policyChanged()
  }

  /**
   * Opens a topic with the messages of its queue, and those of the queue of another durability that it had before: `channels` are
   * the channels that it will have. It accepts messages at once and hands them over after `start`. Closing the Scope stops it and
   * its channels and writes messages in memory to disk.
   */
  static readonly make = Effect.fnUntraced(function*(
    name: TopicName,
    channels: ReadonlyArray<ChannelName>,
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
      guids: new GuidGenerator(settings.nodeId),
      count: (messages, bytes) => topic?.count(messages, bytes)
    }
    const durability = settings.durabilityOf(name)
    const queue = yield* openQueue(name, durability, settings, surroundings, owner, opening(channels))
    const opened = new Topic(name, settings, surroundings, storage, owner, queue)
    topic = opened
    yield* Effect.addFinalizer(() => Effect.andThen(opened.close, opened.closeQueue))
    return opened
  })

  /** What an `OK` for its messages means. */
  get durability(): Durability {
    return this.opened.durability
  }
  private get queue(): TopicQueue {
    return this.opened.queue
  }
  private get closeQueue(): Effect.Effect<void> {
    return Effect.suspend(() => Scope.close(this.opened.scope, Exit.void))
  }

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
    return this.open.all
  }
  get hasChannels(): boolean {
    return this.open.size > 0
  }
  /** The channels that the topic's log remembers, also if the metadata file does not have them. */
  get storedChannelNames(): ReadonlyArray<string> {
    return this.queue.channelNames
  }
  /** The log with the messages of a durable topic; `undefined` for others. */
  get log(): TopicLog | undefined {
    return this.queue.log
  }
  /** What waits in the topic itself, to be looked at; `undefined` for a durable topic. */
  get contents(): MemoryContents | undefined {
    const { places } = this.queue
    return places && topicContents(places)
  }
  channel(name: string): Channel | undefined {
    return this.open.get(name)
  }

  // ---- publishing

  /** The keys of recent publishes. */
  get deduplication(): Deduplication {
    return this.keys ??= new Deduplication(this.policy, this.surroundings, () => this.log, this.putAll)
  }

  /** Publishes that were accepted and not stored, because their key was stored within the window. */
  get duplicateCount(): number {
    return this.keys?.duplicates ?? 0
  }

  /** Accepts messages as `put` does: once if they have a key, and very many in pieces. */
  publish(bodies: PublishedBodies, deferMillis: number): Completion.Completion<BrokerError> {
    return bodies.dedupKeyStart === undefined
      ? this.putAll(bodies, deferMillis)
      : this.deduplication.put(bodies, deferMillis)
  }

  private readonly putAll: LargeBatches.Put = (bodies, deferMillis) =>
    LargeBatches.put(this.surroundings.turns, this, bodies, deferMillis)

  /**
   * Accepts published messages. `undefined` if that is done; otherwise the Effect that stores them, which the publisher
   * has to wait for.
   */
  put(bodies: PublishedBodies, deferMillis: number): Completion.Completion<BrokerError> {
    if (this.isExiting) return Effect.fail(brokerError(BrokerErrorReason.Exiting()))
    if (this.moving !== undefined) {
      // Nothing is stored yet. A channel of this topic whose dead letters come here waits for the end of this before it can be moved.
      const moved = Effect.interruptible(this.moving)
      return Effect.andThen(moved, Effect.suspend(() => this.put(bodies, deferMillis) ?? Effect.void))
    }
    const refusal = this.storage.refusal()
    if (refusal !== undefined && !this.ephemeral) {
      return Effect.fail(brokerError(BrokerErrorReason.DiskFull({ description: refusal })))
    }
    return this.isChecked ? this.putChecked(bodies, deferMillis) : this.queue.put(bodies, deferMillis)
  }

  private putChecked(bodies: PublishedBodies, deferMillis: number): Completion.Completion<BrokerError> {
    const limits = this.limits ??= new TopicLimits(this, this.surroundings.time, () => this.queue.meanBytes)
    return limits.accept(bodies, (admitted) => this.queue.put(admitted, deferMillis))
  }

  private count(messages: number, bytes: number): void {
    this.messages += messages
    this.bytes += bytes
    if (this.isChecked) this.limits?.note()
  }

  /** The policy of the topic or of a channel has changed. */
  policyChanged(): void {
    const channels = this.channels
    this.isChecked = this.policy.isLimited || channels.some(({ policy }) => policy.isLimited)
    if (this.isChecked) this.limits ??= new TopicLimits(this, this.surroundings.time, () => this.queue.meanBytes)
  }

  /** Published messages that a limit or a rate has refused. */
  get rejectedCount(): number {
    return this.refused + (this.limits?.rejected ?? 0)
  }

  /** Messages were refused before the topic has seen them. */
  noteRejected(count: number): void {
    this.refused += count
  }

  /** See `TopicQueue.oldest`: of the messages that wait in the topic itself. Known to a second, and only while a policy has `max_age`. */
  get oldestAccepted(): number {
    return this.queue.oldest
  }

  /** See `TopicQueue.measure`. */
  get measure(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => this.isExiting || this.moving !== undefined ? Effect.void : this.queue.measure)
  }

  /** Finds the oldest message that waits in the topic itself. */
  get lookAtOldest(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => this.isExiting || this.moving !== undefined ? Effect.void : this.queue.lookAtOldest)
  }

  /** About how many bytes the newest `count` messages have. */
  private readonly bytesOf = (count: number): number => this.limits?.bytesOf(count) ?? 0

  // ---- channels

  /** Returns the channel; opens it with the messages of its disk queue if needed. The broker serializes the calls. */
  openChannel(name: ChannelName): Effect.Effect<Channel, StorageError> {
    return Effect.gen({ self: this }, function*() {
      const existing = this.open.get(name)
      if (existing !== undefined) return existing
      const make = Channel.make(this.name, name, this.queue, this.settings, this.surroundings, this.bytesOf)
      const channel = yield* this.open.add(name, make)
      this.policyChanged()
      this.queue.wake()
      return channel
    })
  }

  /** Deletes a channel with its messages and disconnects its consumers. */
  deleteChannel(name: ChannelName): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const left = this.open.take(name)
      if (left === undefined) return Effect.void
      this.policyChanged()
      if (this.open.size === 0) this.queue.hold()
      return left
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
    return Effect.andThen(Effect.suspend(() => this.moving ?? Effect.void), Effect.suspend(() => this.queue.empty))
  }

  /**
   * Moves all messages to a queue of another durability. Messages in flight return; consumers stay subscribed, and publishers
   * wait. If it fails, the topic keeps its durability. The broker serializes the calls.
   */
  setDurability(durability: Durability): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      if (durability === this.durability) return Effect.void
      const moved = Deferred.makeUnsafe<void>()
      const moving = Deferred.await(moved)
      this.moving = moving
      return Effect.ensuring(
        this.replaceQueue(durability, moving),
        Effect.sync(() => {
          this.moving = undefined
          Deferred.doneUnsafe(moved, Effect.void)
        })
      )
    })
  }

  private replaceQueue(durability: Durability, moving: Effect.Effect<void>): Effect.Effect<void, StorageError> {
    const { name, opened } = this
    return replaceQueue(
      {
        name,
        opened,
        channels: () => this.channels,
        enter: (entered, handover) => this.enterQueue(entered, handover),
        // Without any queue the topic refuses messages until the next start.
        failed: () => this.refuseMessages()
      },
      durability,
      moving
    )
  }

  /** Opens a queue for the topic and its channels. */
  private enterQueue(durability: Durability, handover: Handover): Effect.Effect<void, StorageError> {
    const { name, owner, settings, storage, surroundings } = this
    return Effect.gen({ self: this }, function*() {
      const opened = yield* openQueue(name, durability, settings, surroundings, owner, handover).pipe(
        Effect.provideService(Storage, storage)
      )
      this.opened = opened
      yield* Effect.forEach(this.channels, (channel) => channel.enter(opened.queue), { discard: true }).pipe(
        Effect.onError(() => this.closeQueue)
      )
      if (this.isPaused || this.open.size === 0) opened.queue.hold()
      opened.queue.wake()
    })
  }

  /** Deletes the topic's channels and files. Closing its Scope follows. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.isExiting = true
      this.open.closeConsumers()
      return this.queue.deleteShared.pipe(
        Effect.andThen(Effect.forEach(this.channels, ({ name }) => this.deleteChannel(name), { discard: true })),
        Effect.andThen(this.queue.delete)
      )
    })
  }

  private get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.isExiting = true
      yield* this.queue.stop
      this.open.closeConsumers()
      yield* this.open.close
      yield* this.queue.flush
    })
  }

  /** Whether messages may be handed to the channels. */
  get isPumping(): boolean {
    return this.started && !this.isPaused && !this.isExiting && this.open.size > 0
  }
}
