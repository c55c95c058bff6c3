/**
 * The state of a consumer's connections: the RDY count and the messages in flight of each, and the backoff of all. Plain state
 * with synchronous methods that the Consumer's fibers call.
 *
 * Hot path: one small object per message, no fibers.
 */
import { Effect } from "effect"
import { decodeMessageWithHeaders, messageHeaderSize } from "../../protocol/client/MessageBytes.ts"
import * as Time from "../core/Time.ts"
import { Wakeup } from "../core/Wakeup.ts"
import { Backoff, type BackoffSignal } from "./Backoff.ts"
import type { ClientError } from "./ClientError.ts"
import type { Topic } from "./ClientTopic.ts"
import type { Encodable } from "./CommandOutput.ts"
import { Held, HeldList, type Owner } from "./Held.ts"
import type { Member } from "./Member.ts"
import { shares } from "./ReadyShares.ts"
import type { RequeueDelays } from "./RequeueDelays.ts"

/** Settings of a subscription; see `ConsumerOptions`. Times are in milliseconds. */
export interface SubscriptionSettings {
  readonly maxInFlight: number
  readonly maxBackoffDuration: number
  readonly backoffMultiplier: number
  readonly lowReadyIdleTimeout: number
}

const noMembers: ReadonlySet<Member> = new Set()

export class Subscription<A> implements Owner<A> {
  private readonly topic: Topic<A>
  private readonly settings: SubscriptionSettings
  private readonly delays: RequeueDelays
  private readonly time: Time.Time
  private readonly now: () => number
  private readonly random: () => number
  readonly members: Array<Member> = []
  private readonly backoff: Backoff
  /** During the wait of a backoff every RDY count is 0 and results do not count. */
  private waiting = false
  private maxInFlight: number
  private paused = false
  private idle = false
  /** Whether `stop` was called: nothing may subscribe any more. */
  stopped = false
  private passTime: number | undefined
  /** Called when a backoff begins; the Consumer waits `backoffMillis` and calls `tryAgain`. */
  readonly backoffBegins = new Wakeup()
  /** Called when a message has been acknowledged, and when a connection is lost or has confirmed CLS. */
  readonly settled = new Wakeup()
  /** Messages delivered and not acknowledged. */
  inFlight = 0
  /** Messages since the start, for the metrics. */
  readonly counts = { received: 0, finished: 0, requeued: 0, rejected: 0, backoffs: 0 }
  /** Gives up a message that the program rejects; set by the Consumer. */
  onReject: (held: Held<A>, reason: string) => Effect.Effect<void> = () => Effect.void
  /** Messages in the hands of a handler or of the program; they are touched before they time out. */
  readonly held = new HeldList<A>()

  constructor(
    topic: Topic<A>,
    settings: SubscriptionSettings,
    delays: RequeueDelays,
    time: Time.Time,
    random: () => number
  ) {
    this.topic = topic
    this.settings = settings
    this.maxInFlight = settings.maxInFlight
    this.delays = delays
    this.time = time
    this.now = time.monotonicMillis
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
    if (this.stopped) member.send({ _tag: "CLS" })
    else this.distribute()
  }

  remove(member: Member): void {
    member.gone = true
    this.members.splice(this.members.indexOf(member), 1)
    this.inFlight -= member.inFlight
    member.inFlight = 0
    // Its messages cannot be touched any more, and the program may never acknowledge them.
    for (const held of this.held) if (held.member === member) this.held.remove(held)
    this.distribute()
    this.settled.call()
  }

  /** Stops delivery: the server sends what is on its way, then CLOSE_WAIT. A second call does nothing. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    for (const member of this.members) member.send({ _tag: "CLS" })
  }

  /** Records that the server has confirmed CLS. */
  closed(member: Member): void {
    member.closed = true
    this.settled.call()
  }

  /** Whether no server sends messages any more after `stop`. */
  get isClosed(): boolean {
    return this.members.every(({ closed }) => closed)
  }

  /** Stops and resumes delivery by request of the program. */
  setPaused(paused: boolean): void {
    this.paused = paused
    this.distribute()
  }

  /** Stops delivery because nothing takes messages, and resumes it when something does. */
  setIdle(idle: boolean): void {
    if (this.idle === idle) return
    this.idle = idle
    this.distribute()
  }

  setMaxInFlight(maxInFlight: number): void {
    this.maxInFlight = maxInFlight
    this.distribute()
  }

  /** Whether no further message can arrive before one is acknowledged. */
  get isFull(): boolean {
    return this.members.every(({ inFlight, ready }) => inFlight >= ready)
  }

  /** Returns the message in a frame, or `undefined` if the frame is too short. */
  receive(member: Member, data: Buffer, hasHeaders: boolean): Held<A> | undefined {
    if (data.length < messageHeaderSize) return undefined
    if (hasHeaders && decodeMessageWithHeaders(data) === undefined) return undefined
    member.inFlight++
    // One clock read for all messages of a read.
    this.passTime ??= this.now()
    member.activeAt = this.passTime
    this.inFlight++
    this.counts.received++
    return new Held(this, member, data, hasHeaders, this.passTime)
  }

  /** Ends the pass over the messages of one read. */
  endPass(): void {
    this.passTime = undefined
  }

  decode(body: Uint8Array): Effect.Effect<A, ClientError> {
    return this.topic.decode(body)
  }

  /** Returns the delay in ms of an automatic requeue after this number of deliveries. */
  requeueDelay(attempts: number): Effect.Effect<number> {
    return Effect.map(this.delays(attempts), ({ millis }) => millis)
  }

  /** Converts monotonic ms to ms since the Unix epoch. */
  wallMillis(monotonic: number): number {
    return Time.wallOrigin(this.time) + monotonic
  }

  /** Records that a handler or the program has the message. */
  hold(held: Held<A>): void {
    if (!held.isHeld && !held.acknowledged && !held.member.gone) this.held.add(held)
  }

  touch(held: Held<A>): void {
    if (held.acknowledged) return
    held.member.send({ _tag: "TOUCH", id: held.id })
    held.since = this.now()
  }

  reject(held: Held<A>, reason: string): Effect.Effect<void> {
    return this.onReject(held, reason)
  }

  /** Acknowledges a message with a command; only the first one counts. */
  acknowledge(held: Held<A>, command: Buffer | Encodable, signal: BackoffSignal): void {
    if (held.acknowledged) return
    held.acknowledged = true
    if (held.isHeld) this.held.remove(held)
    const { member } = held
    if (!member.gone) {
      if (Buffer.isBuffer(command)) member.connection.send(command)
      else member.connection.encode(command)
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
      this.counts.backoffs++
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
    const { allowed } = this
    const wanted = allowed === 0 ? this.members.map(() => 0) : shares(this.members, allowed, choose)
    const changes = this.members.map((member, i) => ({ member, ready: wanted[i] ?? 0 }))
    for (const { member, ready } of changes.toSorted((a, b) => a.ready - b.ready)) this.sendReady(member, ready)
  }

  /** Messages that may be in flight now. */
  private get allowed(): number {
    if (this.waiting || this.paused || this.idle) return 0
    return this.backoff.level > 0 ? Math.min(1, this.maxInFlight) : this.maxInFlight
  }

  /** Passes the turns of connections without recent messages to others, if there are more connections than `maxInFlight`. */
  redistribute(): void {
    const { allowed } = this
    if (this.stopped || allowed === 0 || this.members.length <= allowed) return
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
