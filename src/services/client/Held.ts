/**
 * A message that a consumer received and has to acknowledge, and the list of those in the hands of the program.
 *
 * Hot path: one small object per message.
 */
import { Duration, Effect, type Tracer } from "effect"
import { encodePlain } from "../../protocol/client/CommandBytes.ts"
import { type Headers, readHeaders } from "../../protocol/client/HeaderLines.ts"
import {
  decodeMessage,
  type Message,
  messageHeaderSize,
  type MessageId,
  messageIdLength
} from "../../protocol/client/MessageBytes.ts"
import type { BackoffSignal } from "./Backoff.ts"
import type { ClientError } from "./ClientError.ts"
import type { Encodable } from "./CommandOutput.ts"
import type { Delivery } from "./Delivery.ts"
import type { Member } from "./Member.ts"
import { spanOf } from "./MessageTrace.ts"
import * as Rejection from "./Rejection.ts"

/** What a message needs from its subscription. */
export interface Owner<A> {
  readonly counts: { finished: number; requeued: number; rejected: number }
  readonly decode: (body: Uint8Array) => Effect.Effect<A, ClientError>
  readonly requeueDelay: (attempts: number) => Effect.Effect<number>
  readonly wallMillis: (monotonic: number) => number
  readonly touch: (held: Held<A>) => void
  readonly reject: (held: Held<A>, reason: string) => Effect.Effect<void>
  readonly acknowledge: (held: Held<A>, command: Buffer | Encodable, signal: BackoffSignal) => void
}

/** Intrusive doubly linked list, so that adding and removing a message allocates nothing. */
export class HeldList<A> {
  private first: Held<A> | undefined
  private last: Held<A> | undefined

  add(held: Held<A>): void {
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

const none: Headers = Object.freeze({})

const finStart = Buffer.from("FIN ")
const finSize = finStart.length + messageIdLength + 1
const newline = 10
/** Offsets of the attempts and the id in a message. */
const attemptsOffset = 8
const idOffset = 10

/** A delivered message, and its FIN. Fields are read from its bytes on access. */
export class Held<A> implements Delivery<A>, Encodable {
  readonly member: Member
  acknowledged = false
  /** Whether it was acknowledged as processed. */
  finished = false
  /** Start of its timeout in monotonic ms: its arrival, or the last touch. */
  since: number
  /** Its place in the list. */
  isHeld = false
  before: Held<A> | undefined
  after: Held<A> | undefined
  private readonly owner: Owner<A>
  private readonly data: Buffer
  /** Whether the headers of the message are before its body. */
  readonly hasHeaders: boolean
  private readonly receivedAt: number
  private decoded: Effect.Effect<A, ClientError> | undefined

  constructor(owner: Owner<A>, member: Member, data: Buffer, hasHeaders: boolean, now: number) {
    this.owner = owner
    this.member = member
    this.data = data
    this.hasHeaders = hasHeaders
    this.receivedAt = now
    this.since = now
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
    return this.data.subarray(this.hasHeaders ? this.headersEnd : messageHeaderSize)
  }

  get headers(): Headers {
    return this.hasHeaders ? readHeaders(this.data.subarray(messageHeaderSize + 4, this.headersEnd)) : none
  }

  /** The span in the headers of the message. */
  get span(): Tracer.ExternalSpan | undefined {
    return this.hasHeaders ? spanOf(this.headers) : undefined
  }

  private get headersEnd(): number {
    return messageHeaderSize + 4 + this.data.readInt32BE(messageHeaderSize)
  }

  private get message(): Message {
    const message = decodeMessage(this.data)
    if (message === undefined) throw new Error("invariant: `receive` accepts only whole messages")
    return message
  }

  get address(): string {
    return this.member.connection.address
  }

  get deadline(): number {
    const { max_msg_timeout, msg_timeout } = this.member.connection.features
    return this.owner.wallMillis(Math.min(this.since + msg_timeout, this.receivedAt + max_msg_timeout))
  }

  get value(): Effect.Effect<A, ClientError> {
    return this.decoded ?? this.owner.decode(this.body)
  }

  /** Keeps the result of decoding, so that the body is not decoded again. */
  keepValue(decoded: Effect.Effect<A, ClientError>): void {
    this.decoded = decoded
  }

  get finish(): Effect.Effect<void> {
    return Effect.sync(() => this.finishNow())
  }

  /** Finishes the message with this effect on the backoff. */
  finishNow(signal: BackoffSignal = "resume"): void {
    if (this.acknowledged) return
    this.finished = true
    this.owner.counts.finished++
    this.owner.acknowledge(this, this, signal)
  }

  /** Size of FIN in bytes. */
  get size(): number {
    return finSize
  }

  /** Writes FIN. */
  encodeTo(out: Buffer, at: number): void {
    out.set(finStart, at)
    this.data.copy(out, at + finStart.length, idOffset, messageHeaderSize)
    out[at + finSize - 1] = newline
  }

  requeue(options: Parameters<Delivery<A>["requeue"]>[0] = {}): Effect.Effect<void> {
    const signal = options.backoff === false ? "continue" : "backoff"
    return options.delay === undefined
      ? Effect.map(
        Effect.suspend(() => this.owner.requeueDelay(this.attempts)),
        (millis) => this.requeueNow(millis, signal)
      )
      : Effect.sync(() =>
        this.requeueNow(Duration.toMillis(Duration.fromInputUnsafe(options.delay ?? Duration.zero)), signal)
      )
  }

  /** Requeues the message with this effect on the backoff. By default without delay, because nothing failed. */
  requeueNow(delayMillis = 0, signal: BackoffSignal = "continue"): void {
    if (this.acknowledged) return
    this.owner.counts.requeued++
    const command = encodePlain({ _tag: "REQ", id: this.id, delayMillis: Math.round(delayMillis) })
    this.owner.acknowledge(this, command, signal)
  }

  /** Whether the server makes dead letters of rejected messages. */
  get canBeRejected(): boolean {
    return this.member.connection.features.reject
  }

  reject(reason = ""): Effect.Effect<void> {
    return Effect.suspend(() => this.acknowledged ? Effect.void : this.owner.reject(this, Rejection.printable(reason)))
  }

  /** Makes the message a dead letter of a server that has them, with this effect on the backoff. */
  rejectNow(reason: string, signal: BackoffSignal): void {
    if (this.acknowledged) return
    this.owner.counts.rejected++
    this.owner.acknowledge(this, encodePlain({ _tag: "REQ", id: this.id, delayMillis: 0, reason }), signal)
  }

  get touch(): Effect.Effect<void> {
    return Effect.sync(() => this.owner.touch(this))
  }
}
