/**
 * A channel: one copy of a topic's messages, shared among its consumers. It owns what waits in memory and on disk, what is
 * in flight, and what is deferred. One fiber gives messages to consumers that are ready, fetching from disk when memory has
 * none; another sleeps until the earliest time-out or delay.
 *
 * Consumers and the topic call its synchronous methods, which change state and wake the fiber that has work. Hot path:
 * messages are handed over in runs of whole frames, one flush per consumer and pass.
 */
import { Effect, type Random, Result, Schedule } from "effect"
import type { MessageKey } from "../../protocol/Message.ts"
import { MessageBatch, raiseAttempts, type StoredRecords } from "../../protocol/MessageBatch.ts"
import { type ChannelName, isEphemeral, type TopicName } from "../../protocol/Names.ts"
import type { BackendQueue, StorageError, StoredRun } from "../storage/Storage.ts"
import { SubscribeError } from "./BrokerError.ts"
import { DeferredQueue } from "./DeferredQueue.ts"
import { InFlight } from "./InFlight.ts"
import { MemoryQueue, settleSpan, type Span, storeInPieces, wholeBatch } from "./MemoryQueue.ts"
import { type Consumer, Subscription, type SubscriptionOptions } from "./Subscription.ts"
import type { Time } from "./Time.ts"
import { Wakeup } from "./Wakeup.ts"

/** What a channel needs to know of its broker. Sizes in messages, times in ms. */
export interface ChannelSettings {
  readonly memQueueSize: number
  readonly maxMsgTimeout: number
  readonly maxChannelConsumers: number
  readonly requeueOnDisconnect: boolean
}

/** What became of an answer to a message. */
export type AnswerResult = "done" | "not in flight" | "not owner"

/** Bytes of one read from disk, and of one hand-over to a consumer. */
const runBytes = 256 * 1024
const retryStorage = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

export class Channel {
  readonly topic: TopicName
  readonly name: ChannelName
  readonly ephemeral: boolean
  paused = false
  exiting = false
  messageCount = 0
  requeueCount = 0
  timeoutCount = 0
  /** Messages delivered from memory, which NSQ counts by the consumer's locality. */
  globalMessageCount = 0
  private readonly settings: ChannelSettings
  private readonly time: Time
  private readonly random: (typeof Random.Random)["Service"]
  private readonly backend: BackendQueue | undefined
  private readonly memory = new MemoryQueue()
  /** Read from disk and not delivered yet; counted as still on disk. */
  private readonly fetched = new MemoryQueue()
  private fetchedRun: StoredRun | undefined
  /** Handed back while memory was full, to be written to disk. */
  private readonly spilled = new MemoryQueue()
  private readonly deferred = new DeferredQueue()
  private readonly members: Array<Subscription> = []
  /** In flight with consumers that have gone, where these wait for their time-out as in NSQ. */
  private readonly orphans = new InFlight()
  private readonly work = new Wakeup()
  private readonly alarm = new Wakeup()
  private alarmAt = Infinity
  private turn = 0
  private memoryFirst = true

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
    this.backend = backend
    this.settings = settings
    this.time = time
    this.random = random
  }

  // ---- what others may know

  /** Messages waiting, in memory and on disk, without those in flight and deferred. */
  get depth(): number {
    return this.memory.count + this.spilled.count + this.backendDepth
  }
  /** Messages waiting on disk. */
  get backendDepth(): number {
    return this.fetched.count + (this.backend?.depth ?? 0)
  }
  get inFlightCount(): number {
    let count = this.orphans.size
    for (const member of this.members) count += member.inFlight.size
    return count
  }
  get deferredCount(): number {
    return this.deferred.count
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
      this.memory.push({ batch, index: 0, position: 0, end: taken })
      this.wake()
    }
    return taken
  }

  /** Writes messages that found no room in memory to disk. An ephemeral channel has none and drops them. */
  readonly store = (records: ReadonlyArray<StoredRecords>): Effect.Effect<void, StorageError> =>
    this.backend === undefined
      ? Effect.void
      : Effect.andThen(this.backend.append(records), Effect.sync(() => this.wake()))

  /** An ephemeral channel without memory still hands over to consumers that are ready. */
  private room(): number {
    const room = this.settings.memQueueSize - this.memory.count
    if (room > 0 || this.backend !== undefined) return room
    let ready = -this.memory.count
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
    inFlight.batchAt(slot).ledger?.settle(1)
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
    this.forgetAll()
    return this.backend === undefined ? Effect.void : this.backend.empty
  })

  /** The channel is being deleted: its consumers are cut off, its messages and files go. */
  readonly delete: Effect.Effect<void, StorageError> = Effect.suspend(() => {
    this.closeConsumers()
    this.forgetAll()
    return this.backend === undefined ? Effect.void : this.backend.delete
  })

  /** The daemon is stopping: everything that is not on disk goes there. Returns how much that was, by kind. */
  readonly flush: Effect.Effect<{ memory: number; inFlight: number; deferred: number }, StorageError> = Effect.suspend(
    () => {
      this.closeConsumers()
      this.unfetch()
      const waiting = [...this.memory.takeAll(), ...this.spilled.takeAll()]
      const answered: Array<Span> = []
      for (const inFlight of [...this.members.map((member) => member.inFlight), this.orphans]) {
        for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) {
          answered.push(wholeBatch(this.takeBack(inFlight, slot)))
        }
      }
      const delayed = this.deferred.takeAll().map(wholeBatch)
      const spans = [...waiting, ...answered, ...delayed]
      const counts = {
        memory: waiting.reduce((sum, span) => sum + span.end - span.index, 0),
        inFlight: answered.length,
        deferred: delayed.length
      }
      return Effect.as(this.storeSpans(spans), counts)
    }
  )

  closeConsumers(): void {
    this.exiting = true
    for (const member of this.members) member.consumer.close()
  }

  private forgetAll(): void {
    for (const queue of [this.memory, this.spilled, this.fetched]) queue.takeAll().forEach(settleSpan)
    this.fetchedRun = undefined
    for (const inFlight of [...this.members.map((member) => member.inFlight), this.orphans]) {
      for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) {
        inFlight.batchAt(slot).ledger?.settle(1)
        inFlight.remove(slot)
      }
    }
    this.deferred.takeAll().forEach((batch) => batch.ledger?.settle(1))
  }

  // ---- messages coming back

  /** Takes a message out of flight as a message of its own, ready to be delivered once more. */
  private takeBack(inFlight: InFlight, slot: number): MessageBatch {
    const batch = inFlight.batchAt(slot)
    const single = MessageBatch.single(batch.frames, inFlight.positionAt(slot), batch.ledger)
    raiseAttempts(single.frames, 0)
    inFlight.remove(slot)
    return single
  }

  private giveBack(inFlight: InFlight, slot: number): void {
    this.enqueue(this.takeBack(inFlight, slot))
  }

  /** A message that is already the channel's waits again: in memory, or on disk when memory is full. */
  private enqueue(batch: MessageBatch): void {
    if (this.room() > 0) this.memory.push(wholeBatch(batch))
    else if (this.backend !== undefined) this.spilled.push(wholeBatch(batch))
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
    while (true) {
      yield* this.work.wait
      this.deliver()
      if (this.spilled.count > 0) yield* this.writeSpilled
      while (this.fetched.count === 0 && this.wantsMore() && (yield* this.fetch)) this.deliver()
    }
  })

  /** Whether a consumer is ready and disk may have something for it. */
  private wantsMore(): boolean {
    return !this.paused && (this.backend?.depth ?? 0) > 0 && this.members.some((member) => member.capacity > 0)
  }

  /** Fetches the next messages from disk; false when there were none after all. */
  private readonly fetch: Effect.Effect<boolean> = Effect.suspend(() => {
    const { backend } = this
    if (backend === undefined) return Effect.succeed(false)
    const attempt = Effect.map(backend.read(runBytes), (run) => {
      if (run === undefined) return false
      const ledger = { settle: (count: number) => backend.settle(run, count) }
      this.fetchedRun = run
      this.fetched.push(wholeBatch(MessageBatch.stored(run, ledger)))
      return true
    })
    return attempt.pipe(
      Effect.uninterruptible,
      Effect.tapError((error) => Effect.logError(`CHANNEL(${this.name}): failed to read from disk - ${error.message}`)),
      Effect.retry(retryStorage),
      Effect.orDie
    )
  })

  /** Hands the part of the last read from disk that was not delivered back to the disk queue. */
  private unfetch(): void {
    if (this.fetchedRun === undefined || this.fetched.count === 0) return
    const run = this.fetchedRun
    for (const span of this.fetched.takeAll()) {
      // A frame is a record with the four bytes of its type added.
      this.backend?.unread(run, run.start + span.position - 4 * span.index, span.end - span.index)
    }
  }

  private readonly writeSpilled: Effect.Effect<void> = Effect.suspend(() => this.storeSpans(this.spilled.takeAll()))
    .pipe(
      Effect.catch((error) =>
        Effect.logError(`CHANNEL(${this.name}): failed to write messages to disk - ${error.message}`)
      ),
      Effect.uninterruptible
    )

  private storeSpans(spans: ReadonlyArray<Span>): Effect.Effect<void, StorageError> {
    const { backend } = this
    if (backend === undefined) return Effect.void
    return storeInPieces(spans, backend.append, settleSpan).pipe(
      // Nothing is lost while the disk fails: the messages go on waiting in memory.
      Effect.mapError(({ error, left }) => {
        left.forEach((span) => this.memory.push(span))
        return error
      })
    )
  }

  /** One pass: shares what waits among all consumers that are ready, then lets each send what it got. */
  private deliver(): void {
    if (this.paused || this.exiting) return
    const ready = this.members.filter((member) => member.capacity > 0)
    if (ready.length === 0) return
    const served = new Set<Subscription>()
    const now = this.time.monotonicMillis()
    let receivers = ready
    while (receivers.length > 0) {
      const waiting = this.memory.count + this.fetched.count
      if (waiting === 0) break
      const share = Math.ceil(waiting / receivers.length)
      this.turn++
      for (let i = 0; i < receivers.length; i++) {
        const receiver = receivers[(i + this.turn) % receivers.length]!
        this.give(receiver, Math.min(share, receiver.capacity), now)
        served.add(receiver)
      }
      receivers = receivers.filter((member) => member.capacity > 0)
    }
    for (const member of served) member.consumer.flush()
  }

  /** Gives a consumer up to `wanted` messages, from memory and from disk in turn where both have some. */
  private give(receiver: Subscription, wanted: number, now: number): void {
    this.memoryFirst = !this.memoryFirst
    let left = wanted
    while (left > 0) {
      const fromMemory = this.memory.count > 0 && (this.memoryFirst || this.fetched.count === 0)
      const queue = fromMemory ? this.memory : this.fetched
      if (queue.count === 0) return
      const given = this.giveRun(receiver, queue, left, now)
      if (fromMemory) this.globalMessageCount += given
      left -= given
      if (!receiver.consumer.isWritable()) return
    }
  }

  /** Gives at most `wanted` messages of the queue's oldest span; returns how many. */
  private giveRun(receiver: Subscription, queue: MemoryQueue, wanted: number, now: number): number {
    const span = queue.peek()
    if (receiver.options.sampleRate > 0) return this.giveSampled(receiver, queue, span, now)
    const { batch, position } = span
    const { frames } = batch
    const { inFlight } = receiver
    const deadline = now + receiver.options.msgTimeout
    const most = Math.min(wanted, span.end - span.index)
    let end = position
    let count = 0
    while (count < most && end - position < runBytes) {
      const size = frames.readInt32BE(end) + 4
      inFlight.add(batch, frames, end, now, deadline)
      end += size
      count++
    }
    receiver.consumer.deliver(frames, position, end, count)
    receiver.messageCount += count
    queue.advance(count, end - position)
    this.watch(deadline)
    return count
  }

  /** One message by chance: NSQ draws 0..99 and delivers what is not above the rate, so r delivers r+1 percent. */
  private giveSampled(receiver: Subscription, queue: MemoryQueue, span: Span, now: number): number {
    const { batch, position } = span
    const { frames } = batch
    const size = frames.readInt32BE(position) + 4
    if (Math.floor(this.random.nextDoubleUnsafe() * 100) > receiver.options.sampleRate) {
      batch.ledger?.settle(1)
    } else {
      const deadline = now + receiver.options.msgTimeout
      receiver.inFlight.add(batch, frames, position, now, deadline)
      receiver.consumer.deliver(frames, position, position + size, 1)
      receiver.messageCount++
      this.watch(deadline)
    }
    queue.advance(1, size)
    return 1
  }
}
