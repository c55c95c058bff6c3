/**
 * A channel: one copy of a topic's messages, shared among its consumers. It owns what waits (its Backlog), what is in
 * flight, and what is deferred. One fiber gives messages to consumers that are ready, fetching from disk when memory has
 * none; another sleeps until the earliest time-out or delay.
 *
 * Consumers and the topic call its synchronous methods, which change state and wake the fiber that has work.
 */
import { Effect, type Random, Result } from "effect"
import type { MessageKey } from "../../protocol/Message.ts"
import { MessageBatch, raiseAttempts, type StoredRecords } from "../../protocol/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../protocol/Names.ts"
import type { BackendQueue, StorageError } from "../storage/Storage.ts"
import { Backlog } from "./Backlog.ts"
import { SubscribeError } from "./BrokerError.ts"
import { DeferredQueue } from "./DeferredQueue.ts"
import { Distribution } from "./Distribution.ts"
import { InFlight } from "./InFlight.ts"
import { wholeBatch } from "./MemoryQueue.ts"
import { type LatencyPlan, ProcessingLatency } from "./ProcessingLatency.ts"
import { type Consumer, Subscription, type SubscriptionOptions } from "./Subscription.ts"
import type { Time } from "./Time.ts"
import { Wakeup } from "./Wakeup.ts"

/** What a channel needs to know of its broker. Sizes in messages, times in ms. */
export interface ChannelSettings {
  readonly memQueueSize: number
  readonly maxMsgTimeout: number
  readonly maxChannelConsumers: number
  readonly requeueOnDisconnect: boolean
  /** Consumers that are near the broker are served before others. */
  readonly topologyAware: boolean
  readonly latency: LatencyPlan
}

/** What became of an answer to a message. */
export type AnswerResult = "done" | "not in flight" | "not owner"

export class Channel {
  readonly topic: TopicName
  readonly name: ChannelName
  readonly ephemeral: boolean
  paused = false
  exiting = false
  messageCount = 0
  requeueCount = 0
  timeoutCount = 0
  readonly latency: ProcessingLatency
  private readonly settings: ChannelSettings
  private readonly time: Time
  private readonly backlog: Backlog
  private readonly distribution: Distribution
  private readonly deferred = new DeferredQueue()
  private readonly members: Array<Subscription> = []
  /** In flight with consumers that have gone, where these wait for their time-out as in NSQ. */
  private readonly orphans = new InFlight()
  private readonly work = new Wakeup()
  private readonly alarm = new Wakeup()
  private alarmAt = Infinity

  constructor(
    topic: TopicName,
    name: ChannelName,
    backend: BackendQueue | undefined,
    settings: ChannelSettings,
    time: Time,
    random: (typeof Random.Random)["Service"]
  ) {
    this.topic = topic
    this.name = name
    this.ephemeral = isEphemeral(name)
    this.backlog = new Backlog(`CHANNEL(${name})`, settings.memQueueSize, backend)
    this.settings = settings
    this.time = time
    this.latency = new ProcessingLatency(settings.latency, time)
    this.distribution = new Distribution(this.backlog, settings.topologyAware, random)
  }

  // ---- what others may know

  /** Messages waiting, in memory and on disk, without those in flight and deferred. */
  get depth(): number {
    return this.backlog.depth
  }
  /** Messages waiting on disk. */
  get backendDepth(): number {
    return this.backlog.backendDepth
  }
  get inFlightCount(): number {
    let count = this.orphans.size
    for (const member of this.members) count += member.inFlight.size
    return count
  }
  get deferredCount(): number {
    return this.deferred.count
  }
  /** Messages delivered from memory, by the consumer's locality. */
  get delivered(): { readonly zone: number; readonly region: number; readonly global: number } {
    return this.distribution.delivered
  }
  get subscriptions(): ReadonlyArray<Subscription> {
    return this.members
  }

  // ---- from the topic

  /** Takes the first `count` messages of a batch into memory as far as there is room; returns how many it took. */
  put(batch: MessageBatch, count: number): number {
    this.messageCount += count
    if (batch.deferMillis > 0) {
      this.defer(batch, batch.deferMillis)
      return 1
    }
    const taken = Math.max(0, Math.min(count, this.room()))
    if (taken > 0) {
      this.backlog.memory.push({ batch, index: 0, position: 0, end: taken })
      this.wake()
    }
    return taken
  }

  /** Writes messages that found no room in memory to disk. An ephemeral channel has none and drops them. */
  readonly store = (records: ReadonlyArray<StoredRecords>): Effect.Effect<void, StorageError> =>
    Effect.andThen(this.backlog.store(records), Effect.sync(() => this.wake()))

  /** Keeps messages that could not be stored, in memory, for `flush` to try again. */
  keep(records: ReadonlyArray<StoredRecords>): void {
    for (const run of records) this.backlog.spill(MessageBatch.stored(run))
  }

  /** An ephemeral channel without memory still hands over to consumers that are ready. */
  private room(): number {
    const { hasDisk, memory, room } = this.backlog
    if (room > 0 || hasDisk) return room
    let ready = -memory.count
    for (const member of this.members) ready += member.capacity
    return ready
  }

  // ---- from consumers

  /** Adds a consumer, ready for nothing yet. */
  subscribe(consumer: Consumer, options: SubscriptionOptions): Result.Result<Subscription, SubscribeError> {
    if (this.exiting) return Result.fail(new SubscribeError({ reason: "exiting" }))
    const { maxChannelConsumers } = this.settings
    if (maxChannelConsumers > 0 && this.members.length >= maxChannelConsumers) {
      const reason = `consumers for ${this.topic}:${this.name} exceeds limit of ${maxChannelConsumers}`
      return Result.fail(new SubscribeError({ reason }))
    }
    const subscription = new Subscription(consumer, options)
    this.members.push(subscription)
    return Result.succeed(subscription)
  }

  /** Removes a consumer; what it had in flight goes back at once, unless NSQ's way was asked for. */
  unsubscribe(subscription: Subscription): void {
    const at = this.members.indexOf(subscription)
    if (at < 0) return
    this.members.splice(at, 1)
    subscription.readyCount = 0
    const { inFlight } = subscription
    for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) {
      if (this.settings.requeueOnDisconnect) {
        this.giveBack(inFlight, slot)
      } else {
        const batch = inFlight.batchAt(slot)
        const deadline = inFlight.deadlineAt(slot)
        this.orphans.add(batch, batch.frames, inFlight.positionAt(slot), inFlight.deliveredAtOf(slot), deadline)
        inFlight.remove(slot)
        this.watch(deadline)
      }
    }
    this.wake()
  }

  setReady(subscription: Subscription, count: number): void {
    subscription.readyCount = count
    this.wake()
  }

  finish(subscription: Subscription, key: MessageKey): AnswerResult {
    const { inFlight } = subscription
    const slot = inFlight.find(key)
    if (slot < 0) return this.whyNot(key)
    const batch = inFlight.batchAt(slot)
    batch.settle(inFlight.positionAt(slot), 1)
    if (this.latency.isWanted) this.latency.note(batch, inFlight.positionAt(slot))
    inFlight.remove(slot)
    subscription.finishCount++
    this.wake()
    return "done"
  }

  /** Puts a message back, at once or after `delayMillis`. */
  requeue(subscription: Subscription, key: MessageKey, delayMillis: number): AnswerResult {
    const { inFlight } = subscription
    const slot = inFlight.find(key)
    if (slot < 0) return this.whyNot(key)
    subscription.requeueCount++
    this.requeueCount++
    if (delayMillis > 0) this.defer(this.takeBack(inFlight, slot), delayMillis)
    else this.giveBack(inFlight, slot)
    this.wake()
    return "done"
  }

  /** Starts the message's time-out again, up to the longest time it may be in flight at all. */
  touch(subscription: Subscription, key: MessageKey): AnswerResult {
    const { inFlight } = subscription
    const slot = inFlight.find(key)
    if (slot < 0) return this.whyNot(key)
    const deadline = Math.min(
      this.time.monotonicMillis() + subscription.options.msgTimeout,
      inFlight.deliveredAtOf(slot) + this.settings.maxMsgTimeout
    )
    inFlight.postpone(slot, deadline)
    this.watch(deadline)
    return "done"
  }

  private whyNot(key: MessageKey): AnswerResult {
    const elsewhere = this.orphans.find(key) >= 0 || this.members.some((member) => member.inFlight.find(key) >= 0)
    return elsewhere ? "not owner" : "not in flight"
  }

  /** There may be something to deliver. */
  wake(): void {
    this.work.call()
  }

  // ---- from operators

  pause(): void {
    this.paused = true
  }

  unpause(): void {
    this.paused = false
    this.wake()
  }

  /** Drops everything: waiting, in flight and deferred. */
  readonly empty: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    this.forgetDelivered()
    return this.backlog.empty
  })

  /** The channel is being deleted: its consumers are cut off, its messages and files go. */
  readonly delete: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    this.closeConsumers()
    this.forgetDelivered()
    return this.backlog.delete
  })

  /** The daemon is stopping: everything that is not on disk goes there. Returns how much that was, by kind. */
  readonly flush: Effect.Effect<{ memory: number; inFlight: number; deferred: number }, StorageError> = Effect.suspend(
    () => {
      this.closeConsumers()
      const answered: Array<MessageBatch> = []
      for (const inFlight of this.flights()) {
        for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) answered.push(this.takeBack(inFlight, slot))
      }
      const delayed = this.deferred.takeAll()
      return Effect.map(this.backlog.flush([...answered, ...delayed]), (memory) => ({
        memory,
        inFlight: answered.length,
        deferred: delayed.length
      }))
    }
  )

  closeConsumers(): void {
    this.exiting = true
    for (const member of this.members) member.consumer.close()
  }

  /** Everywhere where messages are in flight. */
  private flights(): ReadonlyArray<InFlight> {
    return [...this.members.map((member) => member.inFlight), this.orphans]
  }

  private forgetDelivered(): void {
    for (const inFlight of this.flights()) {
      for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) {
        inFlight.batchAt(slot).settle(inFlight.positionAt(slot), 1)
        inFlight.remove(slot)
      }
    }
    this.deferred.takeAll().forEach((batch) => batch.settle(0, 1))
  }

  // ---- messages coming back

  /** Takes a message out of flight as a message of its own, ready to be delivered once more. */
  private takeBack(inFlight: InFlight, slot: number): MessageBatch {
    const single = inFlight.batchAt(slot).single(inFlight.positionAt(slot))
    raiseAttempts(single.frames, 0)
    inFlight.remove(slot)
    return single
  }

  private giveBack(inFlight: InFlight, slot: number): void {
    this.enqueue(this.takeBack(inFlight, slot))
  }

  /** A message that is already the channel's waits again: in memory, or on disk when memory is full. */
  private enqueue(batch: MessageBatch): void {
    if (this.room() > 0) this.backlog.memory.push(wholeBatch(batch))
    else if (this.backlog.hasDisk) this.backlog.spill(batch)
  }

  private defer(batch: MessageBatch, delayMillis: number): void {
    const due = this.time.monotonicMillis() + delayMillis
    this.deferred.push(batch, due)
    this.watch(due)
  }

  // ---- time

  /** The alarm has to ring at `deadline` or before. */
  private watch(deadline: number): void {
    if (deadline < this.alarmAt) this.alarm.call()
  }

  private earliestDeadline(): number {
    let earliest = Math.min(this.deferred.earliest, this.orphans.earliest)
    for (const member of this.members) earliest = Math.min(earliest, member.inFlight.earliest)
    return earliest
  }

  /** Puts back what has timed out and what has waited long enough. */
  private expire(now: number): void {
    for (const member of this.members) this.expireFrom(member.inFlight, now)
    this.expireFrom(this.orphans, now)
    for (let batch = this.deferred.takeDue(now); batch !== undefined; batch = this.deferred.takeDue(now)) {
      this.enqueue(batch)
    }
    this.wake()
  }

  private expireFrom(inFlight: InFlight, now: number): void {
    while (inFlight.earliest <= now) {
      this.timeoutCount++
      this.giveBack(inFlight, inFlight.oldest)
    }
  }

  /** Sleeps until something times out or becomes due, for ever. */
  readonly runAlarm: Effect.Effect<never> = Effect.gen({ self: this }, function*() {
    while (true) {
      const deadline = this.earliestDeadline()
      const wait = deadline - this.time.monotonicMillis()
      if (wait <= 0) {
        this.expire(this.time.monotonicMillis())
        continue
      }
      this.alarmAt = deadline
      yield* wait === Infinity
        ? this.alarm.wait
        : Effect.raceFirst(this.alarm.wait, Effect.sleep(Math.ceil(wait)))
      this.alarmAt = Infinity
    }
  })

  // ---- delivery

  /** Gives messages to consumers, for ever. */
  readonly runDelivery: Effect.Effect<never> = Effect.gen({ self: this }, function*() {
    const { backlog } = this
    while (true) {
      yield* this.work.wait
      do {
        this.deliver()
        // Before every fetch: consumers that put back all they get must not pile it up in memory.
        if (backlog.hasSpilled) yield* backlog.writeSpilled
        // Whether a consumer takes more is asked again after each flush, which may have emptied a connection that was full.
      } while (this.wantsMore() && (yield* this.nextMessages))
    }
  })

  /** Whether there is something for another pass: in memory, after a turn for everybody else, or on disk. */
  private readonly nextMessages: Effect.Effect<boolean> = Effect.suspend(() => {
    const { backlog } = this
    if (backlog.isLoaded) return Effect.as(Effect.yieldNow, true)
    return backlog.canFetch ? backlog.fetch(() => this.wake()) : Effect.succeed(false)
  })

  /** Whether a consumer is ready for more. */
  private wantsMore(): boolean {
    return !this.paused && !this.exiting && this.members.some((member) => member.capacity > 0)
  }

  private deliver(): void {
    this.latency.settle()
    if (this.paused || this.exiting) return
    this.watch(this.distribution.share(this.members, this.time.monotonicMillis()))
  }
}
