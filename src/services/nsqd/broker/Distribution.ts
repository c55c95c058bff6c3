/**
 * Distributes a channel's waiting messages evenly among all ready consumers, alternating between memory and disk if
 * both have messages. With topology-aware consumption, near consumers are served first
 * (docs/protocol/client.md#topology-aware-consumption).
 *
 * Hot path: messages are delivered in runs of whole frames, with one flush per consumer and pass.
 */
import type { Random } from "effect"
import { framesWithoutHeaders, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import type { WaitingMessages } from "./Backlog.ts"
import type { Expiry } from "./Expiry.ts"
import { ranks } from "./Locality.ts"
import type { MemoryQueue, Span } from "./MemoryQueue.ts"
import type { Subscription } from "./Subscription.ts"

/** Bytes per delivery to a consumer. */
const runBytes = 256 * 1024

export class Distribution {
  /**
   * Messages delivered from memory or from a log, by the consumer's locality; NSQ does not count those from disk, and a log
   * does not tell whether its messages were still in memory.
   */
  readonly delivered = { zone: 0, region: 0, global: 0 }
  private backlog: Pick<WaitingMessages, "canLoad" | "fetched" | "memory">
  private readonly expiry: Expiry
  private readonly nearFirst: boolean
  private readonly random: (typeof Random.Random)["Service"]
  private turn = 0
  private memoryFirst = true
  private earliest = Infinity

  /** `nearFirst` enables topology-aware consumption. */
  constructor(
    backlog: Pick<WaitingMessages, "canLoad" | "fetched" | "memory">,
    nearFirst: boolean,
    random: (typeof Random.Random)["Service"],
    expiry: Expiry
  ) {
    this.expiry = expiry
    this.backlog = backlog
    this.nearFirst = nearFirst
    this.random = random
  }

  /** Continues with the messages of another backlog. */
  use(backlog: Pick<WaitingMessages, "canLoad" | "fetched" | "memory">): void {
    this.backlog = backlog
  }

  /**
   * One pass at monotonic ms `now`: delivers messages to the ready members, then flushes each. Returns the earliest
   * timeout of the delivered messages; `Infinity` if nothing was delivered.
   */
  share(members: ReadonlyArray<Subscription>, now: number): number {
    const receivers = members.filter((member) => member.capacity > 0)
    if (receivers.length === 0) return Infinity
    this.earliest = Infinity
    const served = new Set<Subscription>()
    if (this.nearFirst) {
      for (const rank of ranks) {
        this.shareEvenly(receivers.filter(({ locality }) => locality.rank === rank), now, served)
      }
    } else {
      this.shareEvenly(receivers, now, served)
    }
    for (const member of served) member.consumer.flush()
    return this.earliest
  }

  /** Delivers to `members`, which are all ready, as far as they can take messages. */
  private shareEvenly(members: ReadonlyArray<Subscription>, now: number, served: Set<Subscription>): void {
    const { fetched, memory } = this.backlog
    let receivers = members
    while (receivers.length > 0) {
      const waiting = memory.count + fetched.count
      if (waiting === 0 || this.expiry.isTurnOver) break
      const share = Math.ceil(waiting / receivers.length)
      this.turn++
      for (let i = 0; i < receivers.length; i++) {
        const receiver = receivers[(i + this.turn) % receivers.length]!
        this.give(receiver, Math.min(share, receiver.capacity), now)
        served.add(receiver)
      }
      receivers = receivers.filter((member) => member.capacity > 0)
    }
  }

  private give(receiver: Subscription, wanted: number, now: number): void {
    const { fetched, memory } = this.backlog
    this.memoryFirst = !this.memoryFirst
    let left = wanted
    while (left > 0) {
      const fromMemory = memory.count > 0 && (this.memoryFirst || fetched.count === 0)
      const queue = fromMemory ? memory : fetched
      if (queue.count === 0 || this.expiry.isTurnOver) return
      const given = this.giveRun(receiver, queue, left, now)
      if (fromMemory || this.backlog.canLoad) this.delivered[receiver.locality.counted] += given
      left -= given
      if (!receiver.consumer.isWritable()) return
    }
  }

  /** Delivers at most `wanted` messages of the queue's oldest span; returns how many. */
  private giveRun(receiver: Subscription, queue: MemoryQueue, wanted: number, now: number): number {
    const span = queue.peek()
    if (this.expiry.concerns(span.batch)) {
      this.expiry.removeFrom(queue, span)
      // What follows may be another batch, and expired as well.
      return this.expiry.isBlocked || queue.count === 0 || queue.peek() !== span
        ? 0
        : this.giveUntilExpired(receiver, queue, span, wanted, now)
    }
    if (receiver.options.sampleRate > 0) return this.giveSampled(receiver, queue, span, now)
    return this.giveNext(receiver, queue, span, Math.min(wanted, span.end - span.index), now)
  }

  /** Removes the expired messages at the head of both queues, until the turn is over. */
  removeExpiredHeads(): void {
    for (const queue of [this.backlog.memory, this.backlog.fetched]) {
      for (let before = -1; before !== queue.count && queue.count > 0 && !this.expiry.isTurnOver;) {
        before = queue.count
        const span = queue.peek()
        if (this.expiry.concerns(span.batch)) this.expiry.removeFrom(queue, span)
      }
    }
  }

  /** Delivers the messages before the next one that is expired; the first one is not. */
  private giveUntilExpired(
    receiver: Subscription,
    queue: MemoryQueue,
    span: Span,
    wanted: number,
    now: number
  ): number {
    if (receiver.options.sampleRate > 0) return this.giveSampled(receiver, queue, span, now)
    const { batch: { frames }, end, index, position } = span
    const most = Math.min(wanted, end - index)
    let count = 0
    for (let at = position; count < most && !this.expiry.isExpired(frames, at); count++) {
      at += frames.readInt32BE(at) + 4
    }
    return this.giveNext(receiver, queue, span, count, now)
  }

  /** Delivers the next `most` messages of the span, or as many as one run has; returns how many. */
  private giveNext(receiver: Subscription, queue: MemoryQueue, span: Span, most: number, now: number): number {
    const { batch, position } = span
    const { frames } = batch
    const { inFlight } = receiver
    const deadline = now + receiver.options.msgTimeout
    let end = position
    let count = 0
    while (count < most && end - position < runBytes) {
      const size = frames.readInt32BE(end) + 4
      inFlight.add(batch, frames, end, now, deadline)
      end += size
      count++
    }
    deliver(receiver, batch, position, end, count)
    queue.advance(count, end - position)
    this.earliest = Math.min(this.earliest, deadline)
    return count
  }

  /** Draws per message, as in NSQ: 0..99, delivered if not above the rate, so that rate r delivers r+1 percent. */
  private giveSampled(receiver: Subscription, queue: MemoryQueue, span: Span, now: number): number {
    const { batch, position } = span
    const { frames } = batch
    const size = frames.readInt32BE(position) + 4
    if (Math.floor(this.random.nextDoubleUnsafe() * 100) > receiver.options.sampleRate) {
      batch.settle(position, 1)
    } else {
      const deadline = now + receiver.options.msgTimeout
      receiver.inFlight.add(batch, frames, position, now, deadline)
      deliver(receiver, batch, position, position + size, 1)
      this.earliest = Math.min(this.earliest, deadline)
    }
    queue.advance(1, size)
    return 1
  }
}

/** Delivers `count` messages of the batch, without headers if the consumer cannot read them. */
const deliver = (receiver: Subscription, batch: MessageBatch, position: number, end: number, count: number): void => {
  const { consumer } = receiver
  if (batch.hasHeaders && consumer.readsHeaders !== true) {
    const plain = framesWithoutHeaders(batch.frames, position, end)
    consumer.deliver(plain, 0, plain.length, count)
  } else {
    consumer.deliver(batch.frames, position, end, count)
  }
  receiver.noteDelivered(count)
}
