/**
 * A channel: one copy of a topic's messages, shared among its consumers. It opens and closes its queue, takes messages from the topic,
 * and has the operations of administrators. `Consumption` delivers the messages to consumers, `ChannelPolicies` limits and removes them.
 * `Alarms`, which all channels share, call when a message times out or becomes due. An idle channel has no fiber.
 *
 * Consumers and the topic call synchronous methods, which change state and call the worker if there is work.
 * Operations on any number of messages run in slices, so that other work does not have to wait for them.
 */
import { Effect, Exit, type Result, Scope } from "effect"
import type { MessageKey } from "../../../protocol/client/Message.ts"
import type { MessageBatch, StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import { type Time, wallOrigin } from "../../core/Time.ts"
import type { Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { ChannelPolicy } from "../policies/ResolvedPolicy.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import type { Carried } from "./Carried.ts"
import type { ChannelPolicies } from "./ChannelPolicies.ts"
import { Consumption, type ConsumptionSettings } from "./Consumption.ts"
import { flushChannel } from "./Flush.ts"
import { type ChannelContents, channelContents } from "./MemoryContents.ts"
import { countMessages, countRecords, type Span } from "./MemoryQueue.ts"
import type { Outstanding } from "./Outstanding.ts"
import { type LatencyPlan, ProcessingLatency } from "./ProcessingLatency.ts"
import type { Consumer, Subscription, SubscriptionOptions } from "./Subscription.ts"
import type { Surroundings } from "./Surroundings.ts"
import { type MakeBacklog, openIn, type TopicQueue } from "./TopicQueue.ts"

/** The broker's settings for a channel. */
export interface ChannelSettings extends ConsumptionSettings {
  readonly latency: LatencyPlan
}

/**
 * A copy of a topic's messages, which the channel's consumers share. Its counters and depths can be read at any time;
 * `Broker` changes it.
 *
 * @since 0.1.0
 * @category models
 */
export class Channel {
  readonly topic: TopicName
  readonly name: ChannelName
  readonly ephemeral: boolean
  readonly latency: ProcessingLatency
  /** The policy in force; changes in place. */
  readonly policy: ChannelPolicy
  private readonly time: Time
  private readonly turns: Turns
  private readonly consumption: Consumption
  private readonly policies: ChannelPolicies
  private queueScope: Scope.Closeable
  private messages = 0
  /** Received messages that did not fit into memory and are not on disk yet. */
  private storing = 0

  private constructor(
    topic: TopicName,
    name: ChannelName,
    makeBacklog: MakeBacklog,
    queueScope: Scope.Closeable,
    settings: ChannelSettings,
    surroundings: Surroundings,
    bytesOf: (count: number) => number
  ) {
    this.topic = topic
    this.name = name
    this.ephemeral = isEphemeral(name)
    this.queueScope = queueScope
    this.time = surroundings.time
    this.turns = surroundings.turns
    this.latency = new ProcessingLatency(settings.latency, this.time)
    const identity = { topic, name, label: `CHANNEL(${name})`, bytesOf }
    this.consumption = new Consumption(identity, makeBacklog, settings, surroundings, this.latency)
    this.policies = this.consumption.policies
    this.policy = this.policies.policy
  }

  /**
   * Opens a channel of the topic's queue with the messages that wait in it; `bytesOf` is the size of the topic's newest messages.
   * Closing the Scope stops it, disconnects its consumers and writes the messages in memory, in flight and deferred to disk.
   */
  static readonly make = Effect.fnUntraced(function*(
    topic: TopicName,
    name: ChannelName,
    queue: TopicQueue,
    settings: ChannelSettings,
    surroundings: Surroundings,
    bytesOf: (count: number) => number
  ) {
    const { makeBacklog, scope } = yield* openIn(queue, name)
    const channel = new Channel(topic, name, makeBacklog, scope, settings, surroundings, bytesOf)
    yield* Effect.addFinalizer(() => Effect.andThen(channel.close, channel.closeQueue))
    // Deferred messages of an earlier process need their alarm.
    channel.wake()
    return channel
  })

  private get closeQueue(): Effect.Effect<void> {
    return Effect.suspend(() => Scope.close(this.queueScope, Exit.void))
  }

  // ---- replacing the queue

  /**
   * Leaves the queue of the topic, which is going to be replaced. Messages in flight return; consumers stay subscribed and get
   * nothing until `enter`, by which `moving` completes. Returns the messages that are not on disk.
   */
  leave(moving: Effect.Effect<void>): Effect.Effect<Carried> {
    return Effect.gen({ self: this }, function*() {
      const { backlog, outstanding } = this.consumption
      yield* this.consumption.leave(moving)
      yield* this.policies.stop
      const returned = [...outstanding.pause(), ...this.policies.leave()]
      const carried = yield* backlog.leave(returned, wallOrigin(this.time))
      yield* this.closeQueue
      return carried
    })
  }

  /** Enters the new queue of the topic. */
  enter(queue: TopicQueue): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.consumption.stop
      yield* this.closeQueue
      const { makeBacklog, scope } = yield* openIn(queue, this.name)
      this.queueScope = scope
      this.consumption.enter(makeBacklog)
    })
  }

  /** Completes when the queue of the topic is not being replaced. */
  readonly moved: Effect.Effect<void> = Effect.suspend(() => this.consumption.moving ?? Effect.void)

  // ---- statistics

  /** Waiting messages in memory, on disk and on their way there, without those in flight and deferred. */
  get depth(): number {
    return this.consumption.backlog.depth + this.storing
  }
  /** Waiting messages on disk. */
  get backendDepth(): number {
    return this.consumption.backlog.backendDepth
  }
  /** Messages received from the topic. */
  get messageCount(): number {
    return this.messages
  }
  get requeueCount(): number {
    return this.consumption.requeueCount
  }
  /** A paused channel delivers nothing. */
  get paused(): boolean {
    return this.consumption.paused
  }
  /** The channel is being closed or deleted. */
  get exiting(): boolean {
    return this.consumption.exiting
  }
  get inFlightCount(): number {
    return this.consumption.outstanding.inFlightCount + this.policies.buryingCount
  }
  /** Messages that wait, are in flight or are deferred. */
  get unfinished(): number {
    return this.depth + this.inFlightCount + this.deferredCount
  }
  /**
   * When the oldest message was accepted that waits or is in flight, in ms since the Unix epoch; `Infinity` without messages. Known to a
   * second, and only while a limit of age applies.
   */
  get oldestAccepted(): number {
    return this.policies.oldestAccepted
  }
  /** Messages that a limit has dropped. */
  get droppedCount(): number {
    return this.policies.droppedCount
  }
  /** Messages that the dead-letter topic has got. */
  get deadLetterCount(): number {
    return this.policies.deadLetterCount
  }
  /** The sequences of the log's messages that wait for the dead-letter topic. They count as in flight. */
  get burying(): ReadonlySet<number> {
    return this.policies.burying
  }
  /** When the first deferred message is due, in monotonic ms; `Infinity` without deferred messages. */
  get earliestDeferred(): number {
    return this.consumption.backlog.deferred.earliest
  }
  get deferredCount(): number {
    return this.consumption.outstanding.deferredCount
  }
  /** Messages that were dropped because their time-to-live was over. */
  get expiredCount(): number {
    return this.policies.expiry.count
  }
  get timeoutCount(): number {
    return this.consumption.outstanding.timeoutCount
  }
  /** Messages delivered from memory, by the consumer's locality. */
  get delivered(): { readonly zone: number; readonly region: number; readonly global: number } {
    return this.consumption.delivered
  }
  get subscriptions(): ReadonlyArray<Subscription> {
    return this.consumption.subscriptions
  }

  // ---- called by the topic

  /** Takes the first `count` messages of a batch into memory, as far as they fit; returns how many it took. */
  put(batch: MessageBatch, count: number): number {
    const { consumption } = this
    this.messages += count
    if (batch.hasHeaders) this.policies.noteHeaders()
    if (batch.deferMillis > 0) {
      consumption.defer(batch, batch.deferMillis)
      return 1
    }
    const taken = Math.max(0, Math.min(count, consumption.room()))
    if (taken > 0) {
      consumption.backlog.memory.push({ batch, index: 0, position: 0, end: taken })
      consumption.wake()
    }
    if (taken < count && !this.ephemeral) this.storing += count - taken
    return taken
  }

  /** The same without taking any: `keep` follows. */
  announce(count: number): 0 {
    this.messages += count
    this.storing += count
    return 0
  }

  /** Writes messages to disk that did not fit into memory. An ephemeral channel has no disk and drops them. */
  store(records: ReadonlyArray<StoredRecords>): Effect.Effect<void, StorageError> {
    return Effect.andThen(
      this.consumption.backlog.store(records),
      Effect.sync(() => {
        this.storing -= countRecords(records)
        this.wake()
      })
    )
  }

  /** Keeps messages that could not be stored: consumers get them after those on disk, and the worker tries to store them again. */
  keep(spans: ReadonlyArray<Span>): void {
    this.storing -= countMessages(spans)
    this.consumption.backlog.retain?.(spans)
    this.wake()
  }

  /** Whether such messages wait that are neither loaded nor stored. */
  get isKeeping(): boolean {
    return this.consumption.backlog.isRetaining === true
  }

  /** The channel may read `count` more messages of its topic's log. */
  noteHanded(count: number): void {
    this.messages += count
    if (this.consumption.backlog.hasHeaders === true) this.policies.noteHeaders()
    this.consumption.wake()
  }

  /** Identities of messages that the channel has stored and its topic may hand over again after a kill. */
  get recentMessages(): Effect.Effect<ReadonlySet<string>> {
    return this.consumption.backlog.recent
  }

  // ---- consumers

  /** Adds a consumer with a ready count of 0. Fails if the channel is closing or has its maximum of consumers. */
  subscribe(consumer: Consumer, options: SubscriptionOptions): Result.Result<Subscription, BrokerError> {
    return this.consumption.subscribe(consumer, options)
  }

  /**
   * Removes a consumer. Its messages in flight return at once, or with `requeueOnDisconnect` off, as in NSQ, when
   * they time out.
   */
  unsubscribe(subscription: Subscription): void {
    this.consumption.unsubscribe(subscription)
  }

  /** The messages in flight. */
  get outstanding(): Pick<Outstanding, "eachInFlight" | "deliveryOf" | "has"> {
    return this.consumption.outstanding
  }

  /** Finishes a message in flight to any consumer; false if it is not in flight. */
  finishAny(key: MessageKey): boolean {
    return this.consumption.finishAny(key)
  }

  /** Makes a message in flight to any consumer a dead letter; false if it is not in flight. */
  rejectAny(key: MessageKey, reason: string): boolean {
    return this.consumption.rejectAny(key, reason)
  }

  /** What the channel has, to look at and change single messages; `undefined` if its topic is durable. */
  get contents(): ChannelContents | undefined {
    return channelContents(this.consumption)
  }

  /** Calls the worker, because there may be something to deliver. */
  wake(): void {
    this.consumption.wake()
  }

  // ---- administration

  pause(): void {
    this.consumption.pause()
  }

  unpause(): void {
    this.consumption.unpause()
  }

  /** Drops all messages: waiting, in flight and deferred. */
  get empty(): Effect.Effect<void, StorageError> {
    return Effect.andThen(
      this.moved,
      Effect.suspend(() => {
        const { backlog, outstanding } = this.consumption
        const forget = outstanding.drop()
        this.policies.forgetDeadLetters()
        return Effect.andThen(backlog.empty, forget)
      })
    )
  }

  /**
   * Makes the messages of the topic's log from `sequence` on, and no others, wait: those in flight and dead letters that are not stored
   * yet are forgotten, and consumers stay subscribed. Fails with the reason `NotDurable` if the topic has no log.
   */
  seek(sequence: number): Effect.Effect<void, BrokerError | StorageError> {
    const seek = Effect.suspend((): Effect.Effect<void, BrokerError | StorageError> => {
      const { backlog, outstanding } = this.consumption
      if (backlog.seek === undefined) {
        return Effect.fail(brokerError(BrokerErrorReason.NotDurable({ topic: this.topic })))
      }
      // What is forgotten is not settled: it may wait again.
      const forget = (): void => {
        void outstanding.drop()
        this.policies.takeDeadLetters()
      }
      return Effect.tap(backlog.seek(sequence, forget), () => Effect.sync(() => this.wake()))
    })
    return Effect.andThen(this.moved, seek)
  }

  /** Removes waiting messages whose time-to-live is over, also if no consumer is ready for them. Called periodically. */
  get removeExpired(): Effect.Effect<void, StorageError> {
    return this.policies.removeExpired
  }

  /** Makes the worker look for messages that are older than a limit of age. Called periodically. */
  lookAtAge(): void {
    this.policies.lookAtAge()
  }

  /** Finishes a message of the topic's log that waits, also for the dead-letter topic, or is deferred; false if there is none. */
  drop(sequence: number): Effect.Effect<boolean, StorageError> {
    return Effect.flatMap(this.moved, () => {
      this.policies.forgetDeadLetter((batch) => batch.sequenceAt(0) === sequence)
      return this.consumption.backlog.drop?.(sequence, this.turns) ?? Effect.succeed(false)
    })
  }

  /** Delivers a deferred message of the topic's log now; false if the channel has no such message. */
  release(sequence: number): Effect.Effect<boolean> {
    const release = () => this.consumption.backlog.release?.(sequence, this.turns) ?? Effect.succeed(false)
    return Effect.tap(Effect.flatMap(this.moved, release), () => Effect.sync(() => this.wake()))
  }

  /** Deletes the channel's messages and files and disconnects its consumers. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      const { backlog, outstanding } = this.consumption
      this.closeConsumers()
      const forget = outstanding.drop()
      this.policies.forgetDeadLetters()
      return Effect.andThen(backlog.delete, forget)
    })
  }

  private get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.consumption.outstanding.close()
      yield* this.consumption.stop
      yield* this.policies.stop
      this.closeConsumers()
      yield* this.flush
    })
  }

  /** Writes everything that is not on disk. */
  private get flush(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { backlog, outstanding } = this.consumption
      const { deferred, inFlight } = outstanding.takeAll()
      return flushChannel(this, backlog, [...inFlight, ...this.policies.takeDeadLetters()], deferred)
    })
  }

  closeConsumers(): void {
    this.consumption.close()
  }
}
