/**
 * What a consumer knows of its connections: what each was told to have in flight and what it has, and the backoff of all. Plain
 * state with synchronous methods; the Consumer's fibers call them.
 *
 * Hot path: one small object per message, no fibers.
 */
import { Duration, Effect } from "effect"
import { type Command, encodeCommand } from "../../protocol/Command.ts"
import { decodeMessage, type MessageId } from "../../protocol/Message.ts"
import { Wakeup } from "../broker/Wakeup.ts"
import { Backoff, type BackoffSignal } from "./Backoff.ts"
import type { Topic } from "./ClientTopic.ts"
import type { Delivery } from "./Delivery.ts"
import type { NsqdConnection } from "./NsqdConnection.ts"
import { shares } from "./ReadyShares.ts"

export interface SubscriptionSettings {
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
  /** The RDY that was sent last. */
  ready = 0
  inFlight = 0
  /** When the last message came, or the last RDY above 0 was sent, in monotonic ms. */
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

export class Subscription<A> {
  private readonly topic: Topic<A>
  private readonly settings: SubscriptionSettings
  private readonly now: () => number
  private readonly random: () => number
  readonly members: Array<Member> = []
  private readonly backoff: Backoff
  /** During the wait of a backoff nothing is ready and results do not count. */
  private waiting = false
  private stopped = false
  /** Called when a backoff begins; the Consumer waits `backoffMillis` and calls `tryAgain`. */
  readonly backoffBegins = new Wakeup()
  /** Called whenever a message has been answered or a connection is gone. */
  readonly settled = new Wakeup()
  /** Messages delivered and not answered. */
  inFlight = 0
  /** Messages that a program holds, by when their time began, oldest first: for touching them. */
  readonly held = new Map<Held, number>()

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

  /** How long the backoff that has begun lasts. */
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

  /** Nothing more is to be delivered: the server sends what is on its way and then says CLOSE_WAIT. */
  stop(): void {
    this.stopped = true
    for (const member of this.members) member.send({ _tag: "CLS" })
  }

  /** The message in a frame, as a program gets it. `undefined` when the frame is none. */
  receive(member: Member, data: Buffer): Delivery<A> | undefined {
    const message = decodeMessage(data)
    if (message === undefined) return undefined
    const held: Held = { member, id: message.id, answered: false }
    member.inFlight++
    member.activeAt = this.now()
    this.inFlight++
    this.held.set(held, member.activeAt)
    const { maxRequeueDelay, defaultRequeueDelay } = this.settings
    return {
      ...message,
      address: member.connection.address,
      value: this.topic.decode(message.body),
      finish: Effect.sync(() => this.answer(held, { _tag: "FIN", id: message.id }, "resume")),
      requeue: (options = {}) =>
        Effect.sync(() => {
          const delay = options.delay === undefined
            ? Math.min(defaultRequeueDelay * message.attempts, maxRequeueDelay)
            : Duration.toMillis(Duration.fromInputUnsafe(options.delay))
          const command = { _tag: "REQ", id: message.id, delayMillis: Math.round(delay) } as const
          this.answer(held, command, options.backoff === false ? "continue" : "backoff")
        }),
      touch: Effect.sync(() => this.touch(held))
    }
  }

  touch(held: Held): void {
    if (held.answered) return
    held.member.send({ _tag: "TOUCH", id: held.id })
    this.held.delete(held)
    this.held.set(held, this.now())
  }

  private answer(held: Held, command: Command, signal: BackoffSignal): void {
    if (held.answered) return
    held.answered = true
    this.held.delete(held)
    const { member } = held
    if (!member.gone) {
      member.send(command)
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

  /** The wait of a backoff is over: one message is tried. */
  tryAgain(): void {
    this.waiting = false
    this.distribute()
  }

  /** Tells every connection how much it may have in flight, lower counts first so that their sum never exceeds the limit. */
  distribute(): void {
    if (this.stopped) return
    const allowed = this.waiting ? 0 : this.backoff.level > 0 ? 1 : this.settings.maxInFlight
    const wanted = allowed === 0 ? this.members.map(() => 0) : shares(this.members, allowed, this.choose)
    const changes = this.members.map((member, i) => ({ member, ready: wanted[i] ?? 0 }))
    for (const { member, ready } of changes.toSorted((a, b) => a.ready - b.ready)) this.tell(member, ready)
  }

  /** Takes a turn from connections that have brought nothing for a while, where there are more of them than messages. */
  redistribute(): void {
    const allowed = this.backoff.level > 0 ? 1 : this.settings.maxInFlight
    if (this.stopped || this.waiting || this.members.length <= allowed) return
    const idleSince = this.now() - this.settings.lowReadyIdleTimeout
    for (const member of this.members) {
      if (member.ready > 0 && member.inFlight === 0 && member.activeAt <= idleSince) this.tell(member, 0)
    }
    this.distribute()
  }

  private tell(member: Member, ready: number): void {
    if (member.ready === ready) return
    member.ready = ready
    member.activeAt = this.now()
    member.send({ _tag: "RDY", count: ready })
  }

  private readonly choose = (candidates: ReadonlyArray<number>, count: number): ReadonlyArray<number> => {
    const left = [...candidates]
    const chosen: Array<number> = []
    while (chosen.length < count && left.length > 0) {
      chosen.push(...left.splice(Math.floor(this.random() * left.length), 1))
    }
    return chosen
  }
}

/** A message that has not been answered. */
export interface Held {
  readonly member: Member
  readonly id: MessageId
  answered: boolean
}
