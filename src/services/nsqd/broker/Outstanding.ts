/**
 * The messages of a channel that do not wait to be delivered: in flight with consumers, left behind by consumers that have
 * gone, deferred. It brings them back when they time out or become due, and when their consumer leaves.
 *
 * There may be hundreds of thousands of them. What concerns all of them happens in slices, with turns of the event loop for
 * everybody else in between.
 */
import { Effect } from "effect"
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { type MessageBatch, raiseAttempts } from "../../../protocol/client/MessageBatch.ts"
import type { InputMark } from "../../core/Input.ts"
import type { Turns } from "../../core/Turns.ts"
import type { Alarms, Sleeper } from "./Alarms.ts"
import { DeferredQueue } from "./DeferredQueue.ts"
import { InFlight } from "./InFlight.ts"
import { ReturnedMessages } from "./ReturnedMessages.ts"
import type { Subscription } from "./Subscription.ts"

/** Messages of one turn that come back from consumers that have left, or are let go of. */
const sliceMax = 1024

/** What happens to messages that come back. */
export interface Returns {
  /** How many messages may wait again in memory; 0 or less for none. */
  readonly room: () => number
  /** Messages wait again, no more than there is room for, or one; `wake` follows. */
  readonly enqueue: (batch: MessageBatch) => void
  /** Messages wait again, or are about to. */
  readonly wake: () => void
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
  private deferred = new DeferredQueue()
  /** In flight with consumers that have gone, where these wait for their timeout as in NSQ. */
  private orphans: InFlight | undefined
  /** In flight with consumers that have gone, on the way back. */
  private leaving: Array<InFlight> = []
  private closed = false

  /** `members` are the channel's consumers, which come and go. */
  constructor(label: string, members: ReadonlyArray<Subscription>, alarms: Alarms, turns: Turns, returns: Returns) {
    this.label = label
    this.members = members
    this.alarms = alarms
    this.turns = turns
    this.returns = returns
  }

  get inFlightCount(): number {
    let count = this.orphans?.size ?? 0
    for (const member of this.members) count += member.inFlight.size
    for (const inFlight of this.leaving) count += inFlight.size
    return count
  }
  get deferredCount(): number {
    return this.deferred.count
  }
  /** Whether the messages of a consumer that has gone are still on the way back. */
  get hasLeaving(): boolean {
    return this.leaving.length > 0
  }

  /** Whether the message is in flight, with whomever. */
  has(key: MessageKey): boolean {
    return this.flights().some((inFlight) => inFlight.find(key) >= 0)
  }

  /** Everywhere where messages are in flight. */
  private flights(): ReadonlyArray<InFlight> {
    const flights = this.members.map((member) => member.inFlight).concat(this.leaving)
    return this.orphans === undefined ? flights : [...flights, this.orphans]
  }

  // ---- coming and going

  /** The message is to wait until `due`, in monotonic ms. */
  defer(batch: MessageBatch, due: number): void {
    this.deferred.push(batch, due)
    this.watch(due)
  }

  /** A consumer has gone: its messages come back, now or, with `untilTimeout`, when they time out. More than a slice later. */
  leave(inFlight: InFlight, untilTimeout: boolean): void {
    this.leaving.push(inFlight)
    this.takeLeaving(untilTimeout)
  }

  /** The next slice of what consumers that have gone had in flight. */
  takeLeaving(untilTimeout: boolean): void {
    for (let left = sliceMax; left > 0 && this.leaving.length > 0;) {
      const inFlight = this.leaving[0]!
      if (untilTimeout) left -= this.orphan(inFlight, left)
      else left -= this.giveBack(inFlight, Infinity, left)
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

  /** Takes a message out of flight as a message of its own, ready to be delivered once more. */
  takeBack(inFlight: InFlight, slot: number): MessageBatch {
    const single = inFlight.batchAt(slot).single(inFlight.positionAt(slot))
    raiseAttempts(single.frames, 0)
    inFlight.remove(slot)
    return single
  }

  /** Gives back at most `most` messages with a deadline up to `until`; returns how many. */
  private giveBack(inFlight: InFlight, until: number, most: number): number {
    let count = 0
    while (count < most && inFlight.size > 0 && inFlight.earliest <= until) {
      const batch = this.takeBackSome(inFlight, until, Math.min(most - count, this.returns.room()))
      count += batch.count
      this.returns.enqueue(batch)
    }
    return count
  }

  /** Takes back at least one message, and others with it, at most `most`. */
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

  /** Takes everything back, to be stored. */
  takeAll(): { readonly inFlight: ReadonlyArray<MessageBatch>; readonly deferred: ReadonlyArray<MessageBatch> } {
    const taken: Array<MessageBatch> = []
    for (const inFlight of this.flights()) {
      for (let slot = inFlight.oldest; slot >= 0; slot = inFlight.oldest) taken.push(this.takeBack(inFlight, slot))
    }
    return { inFlight: taken, deferred: this.deferred.takeAll() }
  }

  /** Drops everything at once; returns what then lets go of it on disk, in slices. */
  drop(): Effect.Effect<void> {
    const dropped = this.flights()
    const { deferred } = this
    for (const member of this.members) member.forgetInFlight()
    this.orphans = undefined
    this.leaving = []
    this.deferred = new DeferredQueue()
    return this.settleAll(dropped, deferred)
  }

  private settleAll(flights: ReadonlyArray<InFlight>, deferred: DeferredQueue): Effect.Effect<void> {
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
      for (const batch of deferred.batches()) {
        batch.settle(0, 1)
        if (--left > 0) continue
        yield* this.turns.next
        left = sliceMax
      }
    })
  }

  /** Nothing times out or becomes due any more. */
  close(): void {
    this.closed = true
    this.alarms.forget(this)
  }

  // ---- time

  /** Something has to be done at `deadline`. */
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
    let count = 0
    for (; count < most; count++) {
      const batch = this.deferred.takeDue(now)
      if (batch === undefined) break
      this.returns.enqueue(batch)
    }
    if (count > 0) this.returns.wake()
    return count
  }

  awaited(now: number): ReadonlyArray<InputMark> {
    return this.late(now).map(({ consumer }) => () => consumer.inputMark())
  }

  noteHeard(now: number): void {
    for (const member of this.late(now)) member.noteHeard(now)
  }

  /** The consumers that may have acknowledged what has timed out. */
  private late(now: number): ReadonlyArray<Subscription> {
    return this.members.filter(({ heardUntil, inFlight }) => inFlight.earliest <= now && inFlight.earliest > heardUntil)
  }

  expire(now: number, most: number): number {
    if (this.closed) return 0
    let left = most
    for (const { heardUntil, inFlight } of this.members) left -= this.expireFrom(inFlight, heardUntil, left)
    if (this.orphans !== undefined) left -= this.expireFrom(this.orphans, now, left)
    if (left < most) this.returns.wake()
    return most - left
  }

  private expireFrom(inFlight: InFlight, until: number, most: number): number {
    const count = this.giveBack(inFlight, until, most)
    this.timeoutCount += count
    return count
  }
}
