/**
 * The consuming side of a channel: its consumers, delivery to those that are ready, and their acknowledgements. A worker delivers, and
 * fetches from disk when memory has no messages.
 *
 * Hot path: a `Subscription` calls `finish`, `requeue` and `touch` directly, and the worker runs once for many calls.
 */
import { Effect, Result } from "effect"
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { frameAttempts, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { Completion } from "../../core/Completion.ts"
import type { Time } from "../../core/Time.ts"
import type { Turns } from "../../core/Turns.ts"
import type { Policies } from "../policies/Policies.ts"
import type { ChannelPolicy } from "../policies/ResolvedPolicy.ts"
import type { WaitingMessages } from "./Backlog.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import { ChannelPolicies, type GovernedChannel, type GovernedMessages } from "./ChannelPolicies.ts"
import { Distribution } from "./Distribution.ts"
import type { Expiry } from "./Expiry.ts"
import type { InFlight } from "./InFlight.ts"
import { clientOf, type EachInFlight, Outstanding } from "./Outstanding.ts"
import type { ProcessingLatency } from "./ProcessingLatency.ts"
import {
  type AcknowledgementResult,
  type Consumer,
  type SubscribedChannel,
  Subscription,
  type SubscriptionOptions
} from "./Subscription.ts"
import type { Surroundings } from "./Surroundings.ts"
import type { MakeBacklog } from "./TopicQueue.ts"
import { Worker, type WorkerPool } from "./Worker.ts"

/** The broker's settings for the consumers of a channel. Times in ms. */
export interface ConsumptionSettings {
  readonly maxMsgTimeout: number
  readonly maxChannelConsumers: number
  readonly requeueOnDisconnect: boolean
  /** Whether consumers near the broker are served before others. */
  readonly topologyAware: boolean
  /** Where topics and channels get their policies. */
  readonly policies: Pick<Policies["Service"], "topic" | "channel">
}

export class Consumption implements SubscribedChannel, GovernedMessages {
  /** The messages that do not wait. */
  readonly outstanding: Outstanding
  readonly policies: ChannelPolicies
  private readonly channel: GovernedChannel
  private readonly settings: ConsumptionSettings
  private readonly time: Time
  private readonly turns: Turns
  private readonly workers: WorkerPool
  private readonly latency: ProcessingLatency
  private readonly policy: ChannelPolicy
  private readonly expiry: Expiry
  private readonly distribution: Distribution
  private readonly members: Array<Subscription> = []
  private waiting: WaitingMessages
  private work: Worker
  private isPaused = false
  private isExiting = false
  private move: Effect.Effect<void> | undefined
  private requeues = 0

  constructor(
    channel: GovernedChannel,
    makeBacklog: MakeBacklog,
    settings: ConsumptionSettings,
    surroundings: Surroundings,
    latency: ProcessingLatency
  ) {
    const { label } = channel
    const { alarms, random, time, turns, workers } = surroundings
    this.channel = channel
    this.settings = settings
    this.time = time
    this.turns = turns
    this.workers = workers
    this.latency = latency
    this.policies = new ChannelPolicies(channel, settings.policies, surroundings, this)
    this.policy = this.policies.policy
    this.expiry = this.policies.expiry
    this.work = new Worker(workers, label, () => this.pass())
    this.waiting = makeBacklog(label, this.work)
    this.noteHeadersOf(this.waiting)
    this.distribution = new Distribution(this.waiting, settings.topologyAware, random, this.expiry)
    this.outstanding = new Outstanding(label, this.members, this.waiting.deferred, alarms, turns, {
      room: () => this.room(),
      enqueue: (batch) => this.enqueue(batch),
      wake: () => this.wake(),
      maxAttempts: () => this.policy.maxAttempts,
      countsDisconnects: () => this.policy.countDisconnects,
      bury: (batch, reason, client) => this.policies.bury(batch, reason, client)
    })
  }

  // ---- statistics

  /** The waiting messages, which `enter` replaces. */
  get backlog(): WaitingMessages {
    return this.waiting
  }
  get unfinished(): number {
    return this.waiting.depth + this.outstanding.inFlightCount + this.outstanding.deferredCount
  }
  get requeueCount(): number {
    return this.requeues
  }
  get subscriptions(): ReadonlyArray<Subscription> {
    return this.members
  }
  get delivered(): Readonly<Distribution["delivered"]> {
    return this.distribution.delivered
  }
  get paused(): boolean {
    return this.isPaused
  }
  get exiting(): boolean {
    return this.isExiting
  }
  /** Completes when the queue of the topic is replaced, if that is being done: nothing is delivered meanwhile. */
  get moving(): Effect.Effect<void> | undefined {
    return this.move
  }

  // ---- beginning and ending delivery

  pause(): void {
    this.isPaused = true
  }

  unpause(): void {
    this.isPaused = false
    this.wake()
  }

  /** Ends the worker. */
  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => this.work.stop)
  }

  /** Disconnects the consumers and refuses others; messages do not return any more. */
  close(): void {
    this.isExiting = true
    this.outstanding.close()
    for (const member of this.members) member.consumer.close()
  }

  /** Ends the worker and delivers nothing until `enter`, by which `moving` completes; consumers stay subscribed. */
  leave(moving: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.move = moving
      return this.work.stop
    })
  }

  /** Delivers the messages of another backlog. */
  enter(makeBacklog: MakeBacklog): void {
    const { label } = this.channel
    this.work = new Worker(this.workers, label, () => this.pass())
    // The next one gets its messages.
    this.noteHeadersOf(this.waiting)
    this.waiting = makeBacklog(label, this.work)
    this.distribution.use(this.waiting)
    this.outstanding.resume(this.waiting.deferred)
    this.move = undefined
    this.wake()
  }

  // ---- consumers

  /** Adds a consumer with a ready count of 0. Fails if the channel is closing or has its maximum of consumers. */
  subscribe(consumer: Consumer, options: SubscriptionOptions): Result.Result<Subscription, BrokerError> {
    if (this.isExiting) return Result.fail(brokerError(BrokerErrorReason.Exiting()))
    const { maxChannelConsumers } = this.settings
    if (maxChannelConsumers > 0 && this.members.length >= maxChannelConsumers) {
      const { name: channel, topic } = this.channel
      return Result.fail(brokerError(BrokerErrorReason.ConsumerLimit({ topic, channel, max: maxChannelConsumers })))
    }
    const subscription = new Subscription(this, consumer, options)
    this.members.push(subscription)
    return Result.succeed(subscription)
  }

  /**
   * Removes a consumer. Its messages in flight return at once, or with `requeueOnDisconnect` off, as in NSQ, when
   * they time out.
   */
  unsubscribe(subscription: Subscription): void {
    const at = this.members.indexOf(subscription)
    if (at < 0) return
    this.members.splice(at, 1)
    subscription.end()
    this.outstanding.leave(subscription.inFlight, !this.settings.requeueOnDisconnect, clientOf(subscription))
    this.wake()
  }

  finish(subscription: Subscription, key: MessageKey): AcknowledgementResult {
    const { inFlight } = subscription
    const slot = inFlight.find(key)
    if (slot < 0) return this.whyNot(key)
    const batch = inFlight.batchAt(slot)
    batch.settle(inFlight.positionAt(slot), 1)
    if (this.latency.isWanted) this.latency.note(batch, inFlight.positionAt(slot))
    inFlight.remove(slot)
    subscription.noteFinished()
    this.wake()
    return "done"
  }

  /** Requeues a message, at once or after `delayMillis`. */
  requeue(subscription: Subscription, key: MessageKey, delayMillis: number): AcknowledgementResult {
    const { inFlight } = subscription
    const slot = inFlight.find(key)
    if (slot < 0) return this.whyNot(key)
    subscription.noteRequeued()
    this.requeues++
    const { maxAttempts } = this.policy
    const isLast = maxAttempts > 0 && attemptsAt(inFlight, slot) >= maxAttempts
    const batch = this.outstanding.takeBack(inFlight, slot)
    if (isLast) this.policies.bury(batch, "max_attempts", clientOf(subscription))
    else if (delayMillis > 0) this.defer(batch, delayMillis)
    else this.enqueue(batch)
    this.wake()
    return "done"
  }

  /** Makes a message in flight to the consumer a dead letter. */
  reject(subscription: Subscription, key: MessageKey, reason: string): AcknowledgementResult {
    const { inFlight } = subscription
    const slot = inFlight.find(key)
    if (slot < 0) return this.whyNot(key)
    this.policies.bury(this.outstanding.takeBack(inFlight, slot), reason, clientOf(subscription))
    this.wake()
    return "done"
  }

  /** Finishes a message in flight to any consumer; false if it is not in flight. */
  finishAny(key: MessageKey): boolean {
    const inFlight = this.outstanding.flightOf(key)
    if (inFlight === undefined) return false
    const slot = inFlight.find(key)
    inFlight.batchAt(slot).settle(inFlight.positionAt(slot), 1)
    inFlight.remove(slot)
    this.wake()
    return true
  }

  /** Makes a message in flight to any consumer a dead letter; false if it is not in flight. */
  rejectAny(key: MessageKey, reason: string): boolean {
    const inFlight = this.outstanding.flightOf(key)
    if (inFlight === undefined) return false
    const holder = this.members.find((member) => member.inFlight === inFlight)
    this.policies.bury(this.outstanding.takeBack(inFlight, inFlight.find(key)), reason, clientOf(holder))
    this.wake()
    return true
  }

  /** Restarts the message's timeout, up to the maximum time in flight. */
  touch(subscription: Subscription, key: MessageKey): AcknowledgementResult {
    const { inFlight } = subscription
    const slot = inFlight.find(key)
    if (slot < 0) return this.whyNot(key)
    const deadline = Math.min(
      this.time.monotonicMillis() + subscription.options.msgTimeout,
      inFlight.deliveredAtOf(slot) + this.settings.maxMsgTimeout
    )
    inFlight.postpone(slot, deadline)
    this.outstanding.watch(deadline)
    return "done"
  }

  private whyNot(key: MessageKey): AcknowledgementResult {
    return this.outstanding.has(key) ? "not owner" : "not in flight"
  }

  // ---- new and returned messages

  /** How many messages fit into memory. An ephemeral channel with a memory queue of 0 still takes what its ready consumers can receive. */
  room(): number {
    const { hasDisk, memory, room } = this.waiting
    if (room > 0 || hasDisk) return room
    let ready = -memory.count
    for (const member of this.members) ready += member.capacity
    return ready
  }

  /** Adds returned messages to the waiting ones: in memory, or to be written to disk if memory is full. */
  enqueue(batch: MessageBatch): void {
    if (this.room() > 0) this.waiting.keep(batch)
    else if (this.waiting.hasDisk) this.waiting.spill(batch)
  }

  /** Delivers a message after `delayMillis`. */
  defer(batch: MessageBatch, delayMillis: number): void {
    this.outstanding.defer(batch, this.time.monotonicMillis() + delayMillis)
  }

  // ---- delivery

  /** Calls the worker, because there may be something to deliver. */
  wake(): void {
    this.work.call()
  }

  /** See `Outstanding.eachInFlight`. */
  eachInFlight(each: EachInFlight): Generator<void, void> {
    return this.outstanding.eachInFlight(each)
  }

  private noteHeadersOf({ hasHeaders }: WaitingMessages): void {
    if (hasHeaders === true) this.policies.noteHeaders()
  }

  removeExpiredHeads(): void {
    this.distribution.removeExpiredHeads()
  }

  /** Delivers from memory to consumers. The result is the rest of the work, if it needs the disk or more passes. */
  private pass(): Completion {
    const { removal } = this.policies
    if (removal !== undefined) return this.deliverAfter(removal)
    this.deliver()
    const isDone = !this.outstanding.hasLeaving && !this.waiting.hasSpilled &&
      !((this.waiting.isLoaded || this.waiting.canFetch) && this.wantsMore())
    return isDone ? undefined : this.goOn
  }

  private deliverAfter(removal: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.andThen(
      removal,
      Effect.suspend(() => {
        this.deliver()
        return this.goOn
      })
    )
  }

  private get goOn(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { waiting } = this
      while (true) {
        // Before every fetch, so that consumers that requeue everything do not fill the memory.
        if (waiting.hasSpilled) yield* waiting.writeSpilled
        if (this.outstanding.hasLeaving) {
          yield* this.turns.next
          this.outstanding.takeLeaving(!this.settings.requeueOnDisconnect)
        } else if (!this.wantsMore()) {
          // Checked again after each flush, which may have emptied a full connection.
          return
        } else if (waiting.isLoaded) {
          yield* this.turns.next
        } else if (!waiting.canFetch || !(yield* waiting.fetch)) {
          return
        }
        this.deliver()
      }
    })
  }

  /** Whether a consumer is ready for more messages. */
  private wantsMore(): boolean {
    return !this.isPaused && !this.isExiting && this.move === undefined && !this.expiry.isBlocked &&
      this.members.some((member) => member.capacity > 0)
  }

  private deliver(): void {
    this.latency.settle()
    this.outstanding.watch(this.waiting.deferred.earliest)
    if (this.isPaused || this.isExiting || this.move !== undefined) return
    this.expiry.beginTurn()
    do {
      this.outstanding.watch(this.distribution.share(this.members, this.time.monotonicMillis()))
    } while (!this.expiry.isTurnOver && this.waiting.canLoad && this.wantsMore() && this.waiting.load())
  }
}

const attemptsAt = (inFlight: InFlight, slot: number): number =>
  frameAttempts(inFlight.batchAt(slot).frames, inFlight.positionAt(slot))
