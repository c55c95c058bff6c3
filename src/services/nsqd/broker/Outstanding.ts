/**
 * The messages of a channel that are not waiting: in flight with consumers, left by disconnected consumers, and
 * deferred. Returns them when they time out or become due, and when their consumer leaves.
 *
 * There may be hundreds of thousands. Operations on all of them run in slices, with turns of the event loop for other
 * work in between.
 */
import { Effect } from "effect"
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { frameAttempts, type MessageBatch, raiseAttempts } from "../../../protocol/client/MessageBatch.ts"
import type { InputMark } from "../../core/Input.ts"
import type { Turns } from "../../core/Turns.ts"
import type { Alarms, Sleeper } from "./Alarms.ts"
import type { Deferrals } from "./DeferredQueue.ts"
import { InFlight } from "./InFlight.ts"
import { ReturnedMessages } from "./ReturnedMessages.ts"
import type { Subscription } from "./Subscription.ts"

/** Messages per turn that are returned from disconnected consumers, or settled. */
const sliceMax = 1024
/** Slots of tables of messages in flight that are looked at per step. */
const slotsPerStep = 512

/** The channel's handling of returned messages. */
export interface Returns {
  /** How many returned messages fit into memory; 0 or less for none. */
  readonly room: () => number
  /** Adds returned messages to the waiting ones: at most `room`, or a single one. `wake` follows. */
  readonly enqueue: (batch: MessageBatch) => void
  /** Starts delivery of the returned messages. */
  readonly wake: () => void
  /** Deliveries after which a message is a dead letter; 0 for no limit. */
  readonly maxAttempts: () => number
  /** Whether the end of a consumer's connection counts as a failed delivery. */
  readonly countsDisconnects: () => boolean
  /** Makes a message a dead letter. */
  readonly bury: (batch: MessageBatch, reason: string, client: string) => void
}

/** Receives a message in flight, and the consumer that has it. */
export type EachInFlight = (batch: MessageBatch, position: number, holder: Subscription | undefined) => void

/** A message in flight. */
export interface Delivery {
  /** Deliveries, with this one. */
  readonly attempts: number
  /** The consumer that has it; `undefined` after it has disconnected. */
  readonly holder: Subscription | undefined
}

/** A table of messages in flight, and the consumer whose they are. */
interface Holder {
  readonly inFlight: InFlight
  readonly member: Subscription | undefined
}

/** The name of a consumer's client; empty if it is not known. */
export const clientOf = (subscription: Subscription | undefined): string => subscription?.consumer.name?.() ?? ""

/** Messages of a disconnected consumer. */
interface Left {
  readonly inFlight: InFlight
  readonly client: string
}

export class Outstanding implements Sleeper {
  readonly label: string
  alarmAt = Infinity
  alarmPlace = -1
  timeoutCount = 0
  private readonly members: ReadonlyArray<Subscription>
  private readonly alarms: Alarms
  private readonly turns: Turns
  private readonly returns: Returns
  private deferred: Deferrals
  /** Messages of disconnected consumers that wait for their timeout, as in NSQ. */
  private orphans: InFlight | undefined
  /** Messages of disconnected consumers that are being returned. */
  private leaving: Array<Left> = []
  private closed = false

  /** `members` is the channel's live list of consumers. */
  constructor(
    label: string,
    members: ReadonlyArray<Subscription>,
    deferred: Deferrals,
    alarms: Alarms,
    turns: Turns,
    returns: Returns
  ) {
    this.label = label
    this.deferred = deferred
    this.members = members
    this.alarms = alarms
    this.turns = turns
    this.returns = returns
  }

  get inFlightCount(): number {
    let count = this.orphans?.size ?? 0
    for (const member of this.members) count += member.inFlight.size
    for (const { inFlight } of this.leaving) count += inFlight.size
    return count
  }
  get deferredCount(): number {
    return this.deferred.count
  }
  /** Whether messages of a disconnected consumer are still being returned. */
  get hasLeaving(): boolean {
    return this.leaving.length > 0
  }

  /** Whether the message is in flight with any consumer. */
  has(key: MessageKey): boolean {
    return this.flightOf(key) !== undefined
  }

  /** The table of messages in flight that has the message. */
  flightOf(key: MessageKey): InFlight | undefined {
    return this.flights().find((inFlight) => inFlight.find(key) >= 0)
  }

  /**
   * Calls `each` for every message in flight, in steps; those of disconnected consumers have no holder. One that stays in flight may come
   * twice, and one that is delivered or leaves meanwhile may be missing.
   */
  *eachInFlight(each: EachInFlight): Generator<void, void> {
    const holders: ReadonlyArray<Holder> = [
      ...this.members.map((member) => ({ inFlight: member.inFlight, member })),
      ...this.leaving.map(({ inFlight }) => ({ inFlight, member: undefined }))
    ]
    for (const { inFlight, member } of holders) {
      for (let slot = 0; slot >= 0;) {
        // It may have left since the step before.
        const holder = member !== undefined && this.members.includes(member) ? member : undefined
        slot = inFlight.some(slot, slotsPerStep, (batch, position) => each(batch, position, holder))
        yield
      }
    }
    // Last, because messages of consumers that leave meanwhile go there.
    for (let slot = 0; slot >= 0 && this.orphans !== undefined;) {
      slot = this.orphans.some(slot, slotsPerStep, (batch, position) => each(batch, position, undefined))
      yield
    }
  }

  /** The delivery of a message that is in flight; `undefined` if it is not. */
  deliveryOf(key: MessageKey): Delivery | undefined {
    const inFlight = this.flightOf(key)
    if (inFlight === undefined) return undefined
    const slot = inFlight.find(key)
    const attempts = frameAttempts(inFlight.batchAt(slot).frames, inFlight.positionAt(slot))
    return { attempts, holder: this.members.find((member) => member.inFlight === inFlight) }
  }

  /** All tables of messages in flight. */
  private flights(): ReadonlyArray<InFlight> {
    const flights = this.members.map((member) => member.inFlight).concat(this.leaving.map(({ inFlight }) => inFlight))
    return this.orphans === undefined ? flights : [...flights, this.orphans]
  }

  // ---- adding and returning

  /** Defers a message until `due`, in monotonic ms. */
  defer(batch: MessageBatch, due: number): void {
    this.deferred.push(batch, due)
    this.watch(due)
  }

  /**
   * Returns the messages of a disconnected consumer now or, with `untilTimeout`, when they time out. Messages beyond
   * a slice follow later.
   */
  leave(inFlight: InFlight, untilTimeout: boolean, client: string): void {
    this.leaving.push({ inFlight, client })
    this.takeLeaving(untilTimeout)
  }

  /** Returns the next slice of messages of disconnected consumers. */
  takeLeaving(untilTimeout: boolean): void {
    for (let left = sliceMax; left > 0 && this.leaving.length > 0;) {
      const { client, inFlight } = this.leaving[0]!
      if (untilTimeout) left -= this.orphan(inFlight, left)
      else left -= this.giveBack(inFlight, Infinity, left, client, this.returns.countsDisconnects())
      if (inFlight.size === 0) this.leaving.shift()
    }
  }

  private orphan(inFlight: InFlight, most: number): number {
    const orphans = this.orphans ??= new InFlight()
    let count = 0
    for (let slot = inFlight.oldest; slot >= 0 && count < most; slot = inFlight.oldest) {
      const batch = inFlight.batchAt(slot)
      const deadline = inFlight.deadlineAt(slot)
      orphans.add(batch, batch.frames, inFlight.positionAt(slot), inFlight.deliveredAtOf(slot), deadline)
      inFlight.remove(slot)
      this.watch(deadline)
      count++
    }
    return count
  }

  /** Takes a message out of flight as its own batch, ready to be redelivered. `counts`: the delivery counts as an attempt. */
  takeBack(inFlight: InFlight, slot: number, counts = true): MessageBatch {
    const single = inFlight.batchAt(slot).single(inFlight.positionAt(slot))
    if (counts) raiseAttempts(single.frames, 0)
    inFlight.remove(slot)
    return single
  }

  /** Returns at most `most` messages with a deadline up to `until` to the channel; the result is their number. */
  private giveBack(inFlight: InFlight, until: number, most: number, client: string, counts: boolean): number {
    const maxAttempts = this.returns.maxAttempts()
    if (maxAttempts > 0) return this.giveBackCounted(inFlight, until, most, client, counts ? maxAttempts : Infinity)
    let count = 0
    while (count < most && inFlight.size > 0 && inFlight.earliest <= until) {
      const batch = this.takeBackSome(inFlight, until, Math.min(most - count, this.returns.room()))
      count += batch.count
      this.returns.enqueue(batch)
    }
    return count
  }

  /** The same with a limit of attempts, which is infinite for a delivery that does not count. */
  private giveBackCounted(
    inFlight: InFlight,
    until: number,
    most: number,
    client: string,
    maxAttempts: number
  ): number {
    let count = 0
    for (let slot = inFlight.oldest; slot >= 0 && count < most && inFlight.earliest <= until; slot = inFlight.oldest) {
      const isLast = frameAttempts(inFlight.batchAt(slot).frames, inFlight.positionAt(slot)) >= maxAttempts
      const batch = this.takeBack(inFlight, slot, maxAttempts !== Infinity)
      if (isLast) this.returns.bury(batch, "max_attempts", client)
      else this.returns.enqueue(batch)
      count++
    }
    return count
  }

  /** Takes back at least one and at most `most` messages. */
  private takeBackSome(inFlight: InFlight, until: number, most: number): MessageBatch {
    let slot = inFlight.oldest
    let batch = inFlight.batchAt(slot)
    let position = inFlight.positionAt(slot)
    if (most < 2 || !ReturnedMessages.accepts(batch, position)) return this.takeBack(inFlight, slot)
    const returned = new ReturnedMessages(most, batch.frames.readInt32BE(position) + 4)
    while (returned.add(batch, position)) {
      inFlight.remove(slot)
      slot = inFlight.oldest
      if (slot < 0 || returned.count === most || inFlight.earliest > until) break
      batch = inFlight.batchAt(slot)
      position = inFlight.positionAt(slot)
      if (!ReturnedMessages.accepts(batch, position)) break
    }
    return returned.toBatch()
  }

  /** Takes back all messages, to be stored. The end of nsqd is the end of all connections. */
  takeAll(): { readonly inFlight: ReadonlyArray<MessageBatch>; readonly deferred: ReadonlyArray<MessageBatch> } {
    const counts = this.returns.maxAttempts() === 0 || this.returns.countsDisconnects()
    return { inFlight: this.takeFlights(counts), deferred: this.deferred.takeAll() }
  }

  /** `counts`: the deliveries count as attempts. */
  private takeFlights(counts: boolean): ReadonlyArray<MessageBatch> {
    const taken: Array<MessageBatch> = []
    for (const inFlight of this.flights()) {
      for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) {
        taken.push(this.takeBack(inFlight, slot, counts))
      }
    }
    return taken
  }

  /** Drops all messages at once; the returned Effect then settles them on disk, in slices. */
  drop(): Effect.Effect<void> {
    const dropped = this.flights()
    const deferred = this.deferred.drop()
    for (const member of this.members) member.forgetInFlight()
    this.orphans = undefined
    this.leaving = []
    return this.settleAll(dropped, deferred)
  }

  private settleAll(flights: ReadonlyArray<InFlight>, deferred: ReadonlyArray<MessageBatch>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      let left = sliceMax
      for (const inFlight of flights) {
        for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) {
          inFlight.batchAt(slot).settle(inFlight.positionAt(slot), 1)
          inFlight.remove(slot)
          if (--left > 0) continue
          yield* this.turns.next
          left = sliceMax
        }
      }
      for (const batch of deferred) {
        batch.settle(0, 1)
        if (--left > 0) continue
        yield* this.turns.next
        left = sliceMax
      }
    })
  }

  /** Takes back all messages in flight, and stops timeouts and delays until `resume`. No consumer has failed: with a limit none counts. */
  pause(): ReadonlyArray<MessageBatch> {
    this.close()
    return this.takeFlights(this.returns.maxAttempts() === 0)
  }

  /** Continues with other deferred messages. */
  resume(deferred: Deferrals): void {
    this.deferred = deferred
    this.closed = false
    this.watch(this.earliestDeadline())
  }

  /** Stops timeouts and delays. */
  close(): void {
    this.closed = true
    this.alarms.forget(this)
  }

  // ---- deadlines

  /** Ensures an alarm at `deadline`. */
  watch(deadline: number): void {
    if (deadline < this.alarmAt && !this.closed) this.alarms.watch(this, deadline)
  }

  earliestDeadline(): number {
    if (this.closed) return Infinity
    let earliest = Math.min(this.deferred.earliest, this.orphans?.earliest ?? Infinity)
    for (const member of this.members) earliest = Math.min(earliest, member.inFlight.earliest)
    return earliest
  }

  releaseDue(now: number, most: number): number {
    if (this.closed) return 0
    const count = this.deferred.release(now, most, this.returns.room, this.returns.enqueue)
    if (count > 0) this.returns.wake()
    return count
  }

  awaited(now: number): ReadonlyArray<InputMark> {
    return this.late(now).map(({ consumer }) => () => consumer.inputMark())
  }

  noteHeard(now: number): void {
    for (const member of this.late(now)) member.noteHeard(now)
  }

  /** The consumers that may already have acknowledged messages that have timed out. */
  private late(now: number): ReadonlyArray<Subscription> {
    return this.members.filter(({ heardUntil, inFlight }) => inFlight.earliest <= now && inFlight.earliest > heardUntil)
  }

  expire(now: number, most: number): number {
    if (this.closed) return 0
    let left = most
    for (const member of this.members) left -= this.expireFrom(member.inFlight, member.heardUntil, left, member)
    if (this.orphans !== undefined) left -= this.expireFrom(this.orphans, now, left, undefined)
    if (left < most) this.returns.wake()
    return most - left
  }

  private expireFrom(inFlight: InFlight, until: number, most: number, member: Subscription | undefined): number {
    if (inFlight.earliest > until) return 0
    const count = this.giveBack(inFlight, until, most, clientOf(member), true)
    this.timeoutCount += count
    return count
  }
}
