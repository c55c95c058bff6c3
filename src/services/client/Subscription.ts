/**
 * The state of a consumer's connections: the RDY count and the messages in flight of each, and the backoff of all. Plain state
 * with synchronous methods that the Consumer's fibers call.
 *
 * Hot path: one small object per message, no fibers.
 */
import { Duration, Effect } from "effect"
import { type Command, encodeCommand } from "../../protocol/client/Command.ts"
import {
  decodeMessage,
  type Message,
  messageHeaderSize,
  type MessageId,
  messageIdLength
} from "../../protocol/client/Message.ts"
import { Wakeup } from "../core/Wakeup.ts"
import { Backoff, type BackoffSignal } from "./Backoff.ts"
import type { ClientError } from "./ClientError.ts"
import type { Topic } from "./ClientTopic.ts"
import type { Delivery } from "./Delivery.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"
import { shares } from "./ReadyShares.ts"

export interface SubscriptionSettings {
  /** Settings of a subscription; see `ConsumerOptions`. */
  readonly maxInFlight: number
  /** Milliseconds. */
  readonly defaultRequeueDelay: number
  readonly maxRequeueDelay: number
  readonly maxBackoffDuration: number
  readonly backoffMultiplier: number
  readonly lowReadyIdleTimeout: number
}

/** A subscribed connection. */
export class Member {
  readonly connection: NsqdConnection
  /** The RDY count sent last. */
  ready = 0
  inFlight = 0
  /** Time of the last message or of the last RDY above 0, in monotonic ms. */
  activeAt = 0
  gone = false

  constructor(connection: NsqdConnection) {
    this.connection = connection
  }

  get maxReady(): number {
    return this.gone ? 0 : this.connection.features.max_rdy_count
  }

  send(command: Command): void {
    if (!this.gone) this.connection.send(encodeCommand(command))
  }
}

const noMembers: ReadonlySet<Member> = new Set()

export class Subscription<A> {
  private readonly topic: Topic<A>
  private readonly settings: SubscriptionSettings
  private readonly now: () => number
  private readonly random: () => number
  readonly members: Array<Member> = []
  private readonly backoff: Backoff
  /** During the wait of a backoff every RDY count is 0 and results do not count. */
  private waiting = false
  private stopped = false
  private passTime: number | undefined
  /** Called when a backoff begins; the Consumer waits `backoffMillis` and calls `tryAgain`. */
  readonly backoffBegins = new Wakeup()
  /** Called when a message has been acknowledged or a connection is lost. */
  readonly settled = new Wakeup()
  /** Messages delivered and not acknowledged. */
  inFlight = 0
  /** Messages in the hands of a handler, those held longest first; they are touched before they time out. */
  readonly held = new HeldList<A>()

  constructor(topic: Topic<A>, settings: SubscriptionSettings, now: () => number, random: () => number) {
    this.topic = topic
    this.settings = settings
    this.now = now
    this.random = random
    this.backoff = new Backoff({
      multiplierMillis: settings.backoffMultiplier,
      maxMillis: settings.maxBackoffDuration
    })
  }

  /** Wait of the current backoff in ms. */
  get backoffMillis(): number {
    return this.backoff.waitMillis
  }

  get backoffLevel(): number {
    return this.backoff.level
  }

  add(member: Member): void {
    this.members.push(member)
    this.distribute()
  }

  remove(member: Member): void {
    member.gone = true
    this.members.splice(this.members.indexOf(member), 1)
    this.inFlight -= member.inFlight
    member.inFlight = 0
    this.distribute()
    this.settled.call()
  }

  /** Stops delivery: the server sends what is on its way, then CLOSE_WAIT. */
  stop(): void {
    this.stopped = true
    for (const member of this.members) member.send({ _tag: "CLS" })
  }

  /** Returns the message in a frame, or `undefined` if the frame is too short. */
  receive(member: Member, data: Buffer): Held<A> | undefined {
    if (data.length < messageHeaderSize) return undefined
    member.inFlight++
    // One clock read for all messages of a read.
    this.passTime ??= this.now()
    member.activeAt = this.passTime
    this.inFlight++
    return new Held(this, member, data)
  }

  /** Ends the pass over the messages of one read. */
  endPass(): void {
    this.passTime = undefined
  }

  decode(body: Uint8Array): Effect.Effect<A, ClientError> {
    return this.topic.decode(body)
  }

  requeueDelay(attempts: number): number {
    return Math.min(this.settings.defaultRequeueDelay * attempts, this.settings.maxRequeueDelay)
  }

  /** Records that a handler has begun to process the message. */
  hold(held: Held<A>): void {
    this.held.add(held, held.member.activeAt)
  }

  touch(held: Held<A>): void {
    if (held.acknowledged) return
    held.member.send({ _tag: "TOUCH", id: held.id })
    if (!held.isHeld) return
    this.held.remove(held)
    this.held.add(held, this.now())
  }

  /** Acknowledges a message with the bytes of a command; only the first one counts. */
  acknowledge(held: Held<A>, command: Buffer, signal: BackoffSignal): void {
    if (held.acknowledged) return
    held.acknowledged = true
    if (held.isHeld) this.held.remove(held)
    const { member } = held
    if (!member.gone) {
      member.connection.send(command)
      member.inFlight--
      this.inFlight--
    }
    this.note(signal)
    this.settled.call()
  }

  private note(signal: BackoffSignal): void {
    if (this.waiting || !this.backoff.note(signal)) return
    if (this.backoff.level > 0) {
      this.waiting = true
      this.distribute()
      this.backoffBegins.call()
    } else {
      this.distribute()
    }
  }

  /** Ends the wait of a backoff: one message is tried. */
  tryAgain(): void {
    this.waiting = false
    this.distribute()
  }

  /**
   * Sends the RDY counts; members in `passed` get a turn only if no other can have it. Lower counts are sent first so that the
   * sum never exceeds the limit.
   */
  distribute(passed: ReadonlySet<Member> = noMembers): void {
    if (this.stopped) return
    const choose = (candidates: ReadonlyArray<number>, count: number): ReadonlyArray<number> =>
      this.choose(candidates, count, passed)
    const allowed = this.waiting ? 0 : this.backoff.level > 0 ? 1 : this.settings.maxInFlight
    const wanted = allowed === 0 ? this.members.map(() => 0) : shares(this.members, allowed, choose)
    const changes = this.members.map((member, i) => ({ member, ready: wanted[i] ?? 0 }))
    for (const { member, ready } of changes.toSorted((a, b) => a.ready - b.ready)) this.sendReady(member, ready)
  }

  /** Passes the turns of connections without recent messages to others, if there are more connections than `maxInFlight`. */
  redistribute(): void {
    const allowed = this.backoff.level > 0 ? 1 : this.settings.maxInFlight
    if (this.stopped || this.waiting || this.members.length <= allowed) return
    const idleSince = this.now() - this.settings.lowReadyIdleTimeout
    const idle = new Set<Member>()
    for (const member of this.members) {
      if (member.ready === 0 || member.inFlight > 0 || member.activeAt > idleSince) continue
      this.sendReady(member, 0)
      idle.add(member)
    }
    this.distribute(idle)
  }

  private sendReady(member: Member, ready: number): void {
    if (member.ready === ready) return
    member.ready = ready
    member.activeAt = this.now()
    member.send({ _tag: "RDY", count: ready })
  }

  private choose(
    candidates: ReadonlyArray<number>,
    count: number,
    passed: ReadonlySet<Member>
  ): ReadonlyArray<number> {
    const hasPassed = (index: number): boolean => {
      const member = this.members[index]
      return member !== undefined && passed.has(member)
    }
    const first = this.shuffle(candidates.filter((index) => !hasPassed(index)))
    return [...first, ...this.shuffle(candidates.filter(hasPassed))].slice(0, count)
  }

  private shuffle(candidates: ReadonlyArray<number>): ReadonlyArray<number> {
    const left = [...candidates]
    const shuffled: Array<number> = []
    while (left.length > 0) shuffled.push(...left.splice(Math.floor(this.random() * left.length), 1))
    return shuffled
  }
}

/** Intrusive doubly linked list, so that adding and removing a message allocates nothing. */
export class HeldList<A> {
  private first: Held<A> | undefined
  private last: Held<A> | undefined

  /** Adds a message held since `since`, which must not be earlier than that of any other. */
  add(held: Held<A>, since: number): void {
    held.since = since
    held.isHeld = true
    held.before = this.last
    held.after = undefined
    if (this.last === undefined) this.first = held
    else this.last.after = held
    this.last = held
  }

  remove(held: Held<A>): void {
    const { after, before } = held
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    held.isHeld = false
    held.before = undefined
    held.after = undefined
  }

  /** Iterates over the messages; the current one may be removed or touched. */
  *[Symbol.iterator](): Iterator<Held<A>> {
    for (let held = this.first; held !== undefined;) {
      const { after } = held
      yield held
      held = after
    }
  }
}

const finStart = Buffer.from("FIN ")
const finSize = finStart.length + messageIdLength + 1
const newline = 10
/** Offsets of the attempts and the id in a message. */
const attemptsOffset = 8
const idOffset = 10

/** A delivered message. Fields are read from its bytes on access. */
export class Held<A> implements Delivery<A> {
  readonly member: Member
  acknowledged = false
  /** Time since which a handler holds it, in monotonic ms, and its place in the list. */
  since = 0
  isHeld = false
  before: Held<A> | undefined
  after: Held<A> | undefined
  private readonly subscription: Subscription<A>
  private readonly data: Buffer

  constructor(subscription: Subscription<A>, member: Member, data: Buffer) {
    this.subscription = subscription
    this.member = member
    this.data = data
  }

  get id(): MessageId {
    return this.message.id
  }

  get timestamp(): bigint {
    return this.message.timestamp
  }

  get attempts(): number {
    return this.data.readUInt16BE(attemptsOffset)
  }

  get body(): Uint8Array {
    return this.data.subarray(messageHeaderSize)
  }

  private get message(): Message {
    const message = decodeMessage(this.data)
    if (message === undefined) throw new Error("invariant: `receive` accepts only whole messages")
    return message
  }

  get address(): string {
    return this.member.connection.address
  }

  get value(): Effect.Effect<A, ClientError> {
    return this.subscription.decode(this.body)
  }

  get finish(): Effect.Effect<void> {
    return Effect.sync(() => this.finishNow())
  }

  finishNow(): void {
    const fin = Buffer.allocUnsafe(finSize)
    fin.set(finStart)
    this.data.copy(fin, finStart.length, idOffset, messageHeaderSize)
    fin[finSize - 1] = newline
    this.subscription.acknowledge(this, fin, "resume")
  }

  requeue(options: Parameters<Delivery<A>["requeue"]>[0] = {}): Effect.Effect<void> {
    return Effect.sync(() => {
      const delay = options.delay === undefined
        ? this.subscription.requeueDelay(this.attempts)
        : Duration.toMillis(Duration.fromInputUnsafe(options.delay))
      const command = encodeCommand({ _tag: "REQ", id: this.id, delayMillis: Math.round(delay) })
      this.subscription.acknowledge(this, command, options.backoff === false ? "continue" : "backoff")
    })
  }

  get touch(): Effect.Effect<void> {
    return Effect.sync(() => this.subscription.touch(this))
  }
}
