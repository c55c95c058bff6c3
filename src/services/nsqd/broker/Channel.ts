/**
 * A channel: one copy of a topic's messages, shared among its consumers. It owns the waiting messages (`Backlog`),
 * those in flight and the deferred ones (`Outstanding`). A worker delivers messages to ready consumers and fetches
 * from disk when memory has none; `Alarms`, which all channels share, call when a message times out or becomes due. An
 * idle channel has no fiber.
 *
 * Consumers and the topic call its synchronous methods, which change state and call the worker if there is work.
 * Operations on any number of messages run in slices, so that other work does not have to wait for them.
 */
import { Effect, Exit, Result, Scope } from "effect"
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { frameAttempts, MessageBatch, type StoredRecords } from "../../../protocol/client/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../../protocol/client/Names.ts"
import type { Completion } from "../../core/Completion.ts"
import { type Time, wallOrigin } from "../../core/Time.ts"
import type { Turns } from "../../core/Turns.ts"
import type { StorageError } from "../disk/StorageError.ts"
import type { Policies } from "../policies/Policies.ts"
import type { ChannelPolicy } from "../policies/ResolvedPolicy.ts"
import { AgeLimit } from "./AgeLimit.ts"
import type { WaitingMessages } from "./Backlog.ts"
import { type BrokerError, brokerError, BrokerErrorReason } from "./BrokerError.ts"
import { Burial } from "./Burial.ts"
import type { Carried } from "./Carried.ts"
import { Distribution } from "./Distribution.ts"
import { Expiry } from "./Expiry.ts"
import { flushFailed } from "./Flush.ts"
import type { InFlight } from "./InFlight.ts"
import { clientOf, Outstanding } from "./Outstanding.ts"
import { type LatencyPlan, ProcessingLatency } from "./ProcessingLatency.ts"
import { type AcknowledgementResult, type Consumer, Subscription, type SubscriptionOptions } from "./Subscription.ts"
import type { Surroundings } from "./Surroundings.ts"
import type { MakeBacklog, TopicQueue } from "./TopicQueue.ts"
import { type Excess, removeOldest, Trimming } from "./Trimming.ts"
import { Worker, type WorkerPool } from "./Worker.ts"

/** After this time a message is delivered again that could not become a dead letter, because too many wait to be stored. */
const buryAgainMillis = 1000

/** Messages that a limit removes per turn. */
const trimmedAtOnce = 1024

/** The broker's settings for a channel. Sizes in messages, times in ms. */
export interface ChannelSettings {
  readonly memQueueSize: number
  readonly maxMsgTimeout: number
  readonly maxChannelConsumers: number
  readonly requeueOnDisconnect: boolean
  /** Whether consumers near the broker are served before others. */
  readonly topologyAware: boolean
  readonly latency: LatencyPlan
  /** Where topics and channels get their policies. */
  readonly policies: Pick<Policies["Service"], "topic" | "channel">
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
  private readonly settings: ChannelSettings
  private readonly time: Time
  private readonly turns: Turns
  private backlog: WaitingMessages
  private queueScope: Scope.Closeable
  private readonly distribution: Distribution
  private readonly expiry: Expiry
  private readonly members: Array<Subscription> = []
  private readonly outstanding: Outstanding
  private work: Worker
  private readonly workers: WorkerPool
  private isPaused = false
  private isExiting = false
  /** Completes when the queue of the topic is replaced, if that is being done: nothing is delivered meanwhile. */
  private moving: Effect.Effect<void> | undefined
  private messages = 0
  private requeues = 0
  private dropped = 0
  /** Present while a limit removes waiting messages. */
  private trimming: Trimming | undefined
  /** Present while a limit of age applies. */
  private age: AgeLimit | undefined
  /** Present since the first dead letter. */
  private burial: Burial | undefined
  /** Dead letters before the queue of the topic was replaced. */
  private buried = 0
  private readonly surroundings: Surroundings
  private readonly bytesOf: (count: number) => number

  private constructor(
    topic: TopicName,
    name: ChannelName,
    makeBacklog: MakeBacklog,
    queueScope: Scope.Closeable,
    settings: ChannelSettings,
    surroundings: Surroundings,
    bytesOf: (count: number) => number
  ) {
    const { alarms, random, time, turns, workers } = surroundings
    this.surroundings = surroundings
    this.bytesOf = bytesOf
    this.topic = topic
    this.name = name
    this.ephemeral = isEphemeral(name)
    const { label } = this
    this.queueScope = queueScope
    this.workers = workers
    this.settings = settings
    this.policy = settings.policies.channel(topic, name)
    this.time = time
    this.turns = turns
    this.latency = new ProcessingLatency(settings.latency, time)
    this.work = new Worker(workers, label, () => this.pass())
    this.backlog = makeBacklog(label, this.work)
    this.expiry = new Expiry(this.policy, time)
    this.distribution = new Distribution(this.backlog, settings.topologyAware, random, this.expiry)
    this.outstanding = new Outstanding(label, this.members, this.backlog.deferred, alarms, turns, {
      room: () => this.room(),
      enqueue: (batch) => this.enqueue(batch),
      wake: () => this.wake(),
      maxAttempts: () => this.policy.maxAttempts,
      countsDisconnects: () => this.policy.countDisconnects,
      bury: (batch, reason, client) => this.bury(batch, reason, client)
    })
    this.policy.owner = this
    this.trim()
  }

  /**
   * Opens a channel of the topic's queue with the messages that wait in it; `bytesOf` is the size of the topic's newest messages. Closing the Scope stops it, disconnects its consumers and
   * writes the messages in memory, in flight and deferred to disk.
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

  private get label(): string {
    return `CHANNEL(${this.name})`
  }

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
      this.moving = moving
      yield* this.work.stop
      yield* this.stopBurial
      const returned = [...this.outstanding.pause(), ...this.burial?.takeAll() ?? []]
      this.buried = this.deadLetterCount
      this.burial = undefined
      const carried = yield* this.backlog.leave(returned, wallOrigin(this.time))
      yield* this.closeQueue
      return carried
    })
  }

  /** Enters the new queue of the topic. */
  enter(queue: TopicQueue): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.work.stop
      yield* this.closeQueue
      const { makeBacklog, scope } = yield* openIn(queue, this.name)
      this.queueScope = scope
      this.work = new Worker(this.workers, this.label, () => this.pass())
      this.backlog = makeBacklog(this.label, this.work)
      this.distribution.use(this.backlog)
      this.outstanding.resume(this.backlog.deferred)
      this.moving = undefined
      this.wake()
    })
  }

  // ---- statistics

  /** Waiting messages in memory and on disk, without those in flight and deferred. */
  get depth(): number {
    return this.backlog.depth
  }
  /** Waiting messages on disk. */
  get backendDepth(): number {
    return this.backlog.backendDepth
  }
  /** Messages received from the topic. */
  get messageCount(): number {
    return this.messages
  }
  get requeueCount(): number {
    return this.requeues
  }
  /** A paused channel delivers nothing. */
  get paused(): boolean {
    return this.isPaused
  }
  /** The channel is being closed or deleted. */
  get exiting(): boolean {
    return this.isExiting
  }
  get inFlightCount(): number {
    return this.outstanding.inFlightCount + (this.burial?.count ?? 0)
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
    return this.age?.oldest ?? Infinity
  }
  /** Messages that a limit has dropped. */
  get droppedCount(): number {
    return this.dropped
  }
  /** Messages that the dead-letter topic has got. */
  get deadLetterCount(): number {
    return this.buried + (this.burial?.stored ?? 0)
  }
  /** When the first deferred message is due, in monotonic ms; `Infinity` without deferred messages. */
  get earliestDeferred(): number {
    return this.backlog.deferred.earliest
  }
  get deferredCount(): number {
    return this.outstanding.deferredCount
  }
  /** Messages that were dropped because their time-to-live was over. */
  get expiredCount(): number {
    return this.expiry.count
  }
  get timeoutCount(): number {
    return this.outstanding.timeoutCount
  }
  /** Messages delivered from memory, by the consumer's locality. */
  get delivered(): { readonly zone: number; readonly region: number; readonly global: number } {
    return this.distribution.delivered
  }
  get subscriptions(): ReadonlyArray<Subscription> {
    return this.members
  }

  // ---- called by the topic

  /** Takes the first `count` messages of a batch into memory, as far as they fit; returns how many it took. */
  put(batch: MessageBatch, count: number): number {
    this.messages += count
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

  /** Writes messages to disk that did not fit into memory. An ephemeral channel has no disk and drops them. */
  store(records: ReadonlyArray<StoredRecords>): Effect.Effect<void, StorageError> {
    return Effect.andThen(this.backlog.store(records), Effect.sync(() => this.wake()))
  }

  /** Keeps messages in memory that could not be stored, for `flush` to retry. */
  keep(records: ReadonlyArray<StoredRecords>): void {
    for (const run of records) this.backlog.spill(MessageBatch.stored(run))
  }

  /** The channel may read `count` more messages of its topic's log. */
  noteHanded(count: number): void {
    this.messages += count
    this.wake()
  }

  /** Identities of messages that the channel has stored and its topic may hand over again after a kill. */
  get recentMessages(): Effect.Effect<ReadonlySet<string>> {
    return this.backlog.recent
  }

  /** An ephemeral channel with a memory queue of 0 still takes what its ready consumers can receive. */
  private room(): number {
    const { hasDisk, memory, room } = this.backlog
    if (room > 0 || hasDisk) return room
    let ready = -memory.count
    for (const member of this.members) ready += member.capacity
    return ready
  }

  // ---- called by consumers

  /** Adds a consumer with a ready count of 0. Fails if the channel is closing or has its maximum of consumers. */
  subscribe(consumer: Consumer, options: SubscriptionOptions): Result.Result<Subscription, BrokerError> {
    if (this.isExiting) return Result.fail(brokerError(BrokerErrorReason.Exiting()))
    const { maxChannelConsumers } = this.settings
    if (maxChannelConsumers > 0 && this.members.length >= maxChannelConsumers) {
      const { name: channel, topic } = this
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
    if (isLast) this.bury(batch, "max_attempts", clientOf(subscription))
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
    this.bury(this.outstanding.takeBack(inFlight, slot), reason, clientOf(subscription))
    this.wake()
    return "done"
  }

  /** Makes a message in flight to any consumer a dead letter; false if it is not in flight. */
  rejectAny(key: MessageKey, reason: string): boolean {
    const inFlight = this.outstanding.flightOf(key)
    if (inFlight === undefined) return false
    const holder = this.members.find((member) => member.inFlight === inFlight)
    this.bury(this.outstanding.takeBack(inFlight, inFlight.find(key)), reason, clientOf(holder))
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

  /** Calls the worker, because there may be something to deliver. */
  wake(): void {
    this.work.call()
  }

  // ---- administration

  pause(): void {
    this.isPaused = true
  }

  unpause(): void {
    this.isPaused = false
    this.wake()
  }

  /** Drops all messages: waiting, in flight and deferred. */
  get empty(): Effect.Effect<void, StorageError> {
    const moved = Effect.suspend(() => this.moving ?? Effect.void)
    return Effect.andThen(
      moved,
      Effect.suspend(() => {
        const forget = this.outstanding.drop()
        this.forgetDeadLetters()
        return Effect.andThen(this.backlog.empty, forget)
      })
    )
  }

  /**
   * Makes the messages of the topic's log from `sequence` on, and no others, wait: those in flight and dead letters that are not stored
   * yet are forgotten, and consumers stay subscribed. Fails with the reason `NotDurable` if the topic has no log.
   */
  seek(sequence: number): Effect.Effect<void, BrokerError | StorageError> {
    return Effect.suspend(() => {
      if (this.moving !== undefined) return Effect.andThen(this.moving, Effect.suspend(() => this.seek(sequence)))
      const { backlog } = this
      if (backlog.seek === undefined) {
        return Effect.fail(brokerError(BrokerErrorReason.NotDurable({ topic: this.topic })))
      }
      // What is forgotten is not settled: it may wait again.
      const forget = (): void => {
        void this.outstanding.drop()
        this.burial?.takeAll()
      }
      return Effect.tap(backlog.seek(sequence, forget), () => Effect.sync(() => this.wake()))
    })
  }

  /** Drops waiting messages whose time-to-live is over, also if no consumer is ready for them. Called periodically. */
  get dropExpired(): Effect.Effect<void, StorageError> {
    return Effect.gen({ self: this }, function*() {
      const { ttlMillis } = this.policy
      if (ttlMillis === 0 || this.isExiting) return
      for (this.expiry.beginTurn();; this.expiry.beginTurn()) {
        if (this.moving !== undefined) return
        this.distribution.dropExpiredHeads()
        if (!this.expiry.isTurnOver) break
        yield* this.turns.next
      }
      const oldest = Number(this.time.wallNanos() / 1_000_000n) - ttlMillis
      if (this.backlog.dropBefore !== undefined) this.expiry.noteDropped(yield* this.backlog.dropBefore(oldest))
    })
  }

  /** Finishes a message of the topic's log that waits or is deferred; false if the channel has no such message. */
  drop(sequence: number): Effect.Effect<boolean, StorageError> {
    return Effect.suspend(() => this.backlog.drop?.(sequence) ?? Effect.succeed(false))
  }

  /** Delivers a deferred message of the topic's log now; false if the channel has no such message. */
  release(sequence: number): boolean {
    const isReleased = this.backlog.release?.(sequence) === true
    this.wake()
    return isReleased
  }

  /** Deletes the channel's messages and files and disconnects its consumers. */
  get delete(): Effect.Effect<void, StorageError> {
    return Effect.suspend(() => {
      this.closeConsumers()
      const forget = this.outstanding.drop()
      this.forgetDeadLetters()
      return Effect.andThen(this.backlog.delete, forget)
    })
  }

  /** Those that are not stored yet. */
  private forgetDeadLetters(): void {
    for (const batch of this.burial?.takeAll() ?? []) batch.settle(0, 1)
  }

  private get close(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      this.outstanding.close()
      yield* this.work.stop
      yield* this.stopBurial
      this.closeConsumers()
      yield* this.flush
    })
  }

  /** Writes everything that is not on disk. */
  private get flush(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { deferred, inFlight: delivered } = this.outstanding.takeAll()
      const inFlight = [...delivered, ...this.burial?.takeAll() ?? []]
      return Effect.matchEffect(this.backlog.flush([...inFlight, ...deferred]), {
        onSuccess: (memory) =>
          memory + inFlight.length + deferred.length === 0 ? Effect.void : Effect.logInfo(
            `CHANNEL(${this.name}): flushing ${memory} memory ${inFlight.length} in-flight ${deferred.length} deferred messages to backend`
          ),
        onFailure: (failure) => flushFailed(`CHANNEL(${this.topic}:${this.name})`, failure)
      })
    })
  }

  closeConsumers(): void {
    this.isExiting = true
    this.outstanding.close()
    for (const member of this.members) member.consumer.close()
  }

  // ---- returned messages

  /** Adds returned messages to the waiting ones: in memory, or to be written to disk if memory is full. */
  private enqueue(batch: MessageBatch): void {
    if (this.room() > 0) this.backlog.keep(batch)
    else if (this.backlog.hasDisk) this.backlog.spill(batch)
  }

  private defer(batch: MessageBatch, delayMillis: number): void {
    this.outstanding.defer(batch, this.time.monotonicMillis() + delayMillis)
  }

  // ---- policies

  /** The policy of the channel or of its topic has changed. */
  policyChanged(): void {
    this.trim()
    this.wake()
  }

  private trim(): void {
    const ofTopic = this.settings.policies.topic(this.topic)
    const trimming = new Trimming(this.policy, ofTopic, this.bytesOf)
    this.trimming = trimming.isOn ? trimming : undefined
    this.age = AgeLimit.of(this.policy, ofTopic, {
      label: this.label,
      turns: this.turns,
      backlog: () => this.backlog,
      wallMillis: () => Number(this.time.wallNanos() / 1_000_000n),
      isEnding: () => this.isExiting || this.moving !== undefined,
      isBurialFull: () => this.burial?.isFull === true,
      bury: (batch) => this.bury(batch, "limit", ""),
      noteDropped: (count) => void (this.dropped += count),
      eachInFlight: (each) => this.outstanding.eachInFlight(each)
    })
  }

  /** Makes the worker look for messages that are older than a limit of age. */
  lookAtAge(): void {
    if (this.age === undefined) return
    this.age.isDue = true
    this.wake()
  }

  private lookedAt(age: AgeLimit): Effect.Effect<void> {
    return Effect.andThen(
      age.look,
      Effect.suspend(() => {
        this.deliver()
        return this.goOn
      })
    )
  }

  private bury(batch: MessageBatch, reason: string, client: string): void {
    const burial = this.burial ??= this.makeBurial()
    // While dead letters cannot be stored, messages are delivered again rather than kept here.
    if (burial.isFull) this.defer(batch, buryAgainMillis)
    else burial.add(batch, reason, client)
  }

  private makeBurial(): Burial {
    const { name: channel, policy, surroundings: { deadLetters }, topic } = this
    return new Burial(
      this.label,
      this.workers,
      (letters, stored) => deadLetters.store({ topic, channel, template: policy.deadLetter }, letters, stored),
      () => this.wake()
    )
  }

  private get stopBurial(): Effect.Effect<void> {
    return Effect.suspend(() => this.burial?.stop ?? Effect.void)
  }

  private get excess(): Excess | undefined {
    return this.trimming?.excess(this.unfinished - (this.burial?.count ?? 0))
  }

  /** Removes the oldest waiting messages beyond the limits, then delivers. */
  private get trimmed(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (true) {
        const { backlog, excess } = this
        if (excess === undefined || excess.count === 0 || this.isExiting || this.moving !== undefined) break
        if (excess.bury && this.burial?.isFull === true) break
        if (backlog.hasSpilled) yield* backlog.writeSpilled
        // Also with messages in memory: those on disk may be older.
        if (backlog.fetched.count === 0 && !backlog.load() && backlog.canFetch) yield* backlog.fetch
        if (!backlog.isLoaded) break
        removeOldest(backlog, Math.min(excess.count, trimmedAtOnce), (batch, position) => {
          if (excess.bury) return this.bury(batch.single(position), "limit", "")
          batch.settle(position, 1)
          this.dropped++
        })
        yield* this.turns.next
      }
      this.deliver()
      yield* this.goOn
    })
  }

  // ---- delivery

  /** Delivers from memory to consumers. The result is the rest of the work, if it needs the disk or more passes. */
  private pass(): Completion {
    if (this.trimming !== undefined && (this.excess?.count ?? 0) > 0) return this.trimmed
    if (this.age?.isDue === true) return this.lookedAt(this.age)
    this.deliver()
    const isDone = !this.outstanding.hasLeaving && !this.backlog.hasSpilled &&
      !((this.backlog.isLoaded || this.backlog.canFetch) && this.wantsMore())
    return isDone ? undefined : this.goOn
  }

  private get goOn(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const { backlog } = this
      while (true) {
        // Before every fetch, so that consumers that requeue everything do not fill the memory.
        if (backlog.hasSpilled) yield* backlog.writeSpilled
        if (this.outstanding.hasLeaving) {
          yield* this.turns.next
          this.outstanding.takeLeaving(!this.settings.requeueOnDisconnect)
        } else if (!this.wantsMore()) {
          // Checked again after each flush, which may have emptied a full connection.
          return
        } else if (backlog.isLoaded) {
          yield* this.turns.next
        } else if (!backlog.canFetch || !(yield* backlog.fetch)) {
          return
        }
        this.deliver()
      }
    })
  }

  /** Whether a consumer is ready for more messages. */
  private wantsMore(): boolean {
    return !this.isPaused && !this.isExiting && this.moving === undefined &&
      this.members.some((member) => member.capacity > 0)
  }

  private deliver(): void {
    this.latency.settle()
    this.outstanding.watch(this.backlog.deferred.earliest)
    if (this.isPaused || this.isExiting || this.moving !== undefined) return
    this.expiry.beginTurn()
    do {
      this.outstanding.watch(this.distribution.share(this.members, this.time.monotonicMillis()))
    } while (!this.expiry.isTurnOver && this.backlog.canLoad && this.wantsMore() && this.backlog.load())
  }
}

const attemptsAt = (inFlight: InFlight, slot: number): number =>
  frameAttempts(inFlight.batchAt(slot).frames, inFlight.positionAt(slot))

/** Opens the messages of a channel in a Scope of their own. */
const openIn = Effect.fnUntraced(function*(queue: TopicQueue, name: ChannelName) {
  const scope = yield* Scope.make()
  const makeBacklog = yield* queue.openChannel(name).pipe(
    Scope.provide(scope),
    Effect.onError(() => Scope.close(scope, Exit.void))
  )
  return { makeBacklog, scope }
})
