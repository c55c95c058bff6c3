/**
 * The buffer between nsqds that send messages and a browser that shows them. Limits rate and memory, and counts the messages
 * that it skips. Plain state with synchronous methods; one fiber takes the events.
 */
import { type Cause, type Clock, Effect } from "effect"
import type { Message } from "../../protocol/client/Message.ts"
import { maxTailedBytes, type TailEvent } from "../../protocol/http/admin/AdminLive.ts"
import * as Time from "../core/Time.ts"
import { Wakeup } from "../core/Wakeup.ts"

/** Limit for messages per second: more cannot be read by a person. */
const maxPerSecond = 100

/** Limit for the bodies that wait for a slow browser, in bytes. */
const maxWaitingBytes = 4 * 1024 * 1024

/** Interval of `Skipped` events. */
const skippedMillis = 1000
/** Time without events before an `Idle` event. */
const idleMillis = 15_000

type Events = readonly [TailEvent, ...Array<TailEvent>]

/** The events of one tail. */
export class TailBuffer {
  private readonly now: () => number
  private readonly wakeup = new Wakeup()
  private waiting: Array<TailEvent> = []
  private waitingBytes = 0
  /** The start of the current second, and the number of messages in it. */
  private secondBegan = -Infinity
  private inSecond = 0
  private skipped = 0
  private reportedSkipped = -Infinity

  constructor(clock: Clock.Clock) {
    this.now = Time.fromClock(clock).monotonicMillis
  }

  /** Adds a message from the nsqd at `node`, or counts it as skipped if a limit is reached. */
  add(node: string, { attempts, body, id, timestamp }: Message): void {
    const now = this.now()
    if (now - this.secondBegan >= 1000) {
      this.secondBegan = now
      this.inSecond = 0
    }
    const shown = body.subarray(0, maxTailedBytes)
    if (this.inSecond >= maxPerSecond || this.waitingBytes + shown.length > maxWaitingBytes) {
      // The first skipped message sets the deadline of `take`; further ones do not change it.
      if (this.skipped++ === 0) this.wakeup.call()
      return
    }
    this.inSecond++
    this.waitingBytes += shown.length
    this.waiting.push({
      _tag: "Message",
      id,
      at: Number(timestamp / 1_000_000n),
      attempts,
      node,
      body: Buffer.from(shown.buffer, shown.byteOffset, shown.length).toString("base64"),
      size: body.length
    })
    this.wakeup.call()
  }

  /** Waits for the next events; returns `Idle` after 15 seconds without any. */
  readonly take: Effect.Effect<Events, Cause.Done> = Effect.gen({ self: this }, function*() {
    const idleAt = this.now() + idleMillis
    while (true) {
      const events = this.due()
      if (events !== undefined) return events
      const now = this.now()
      if (now >= idleAt) return [{ _tag: "Idle" }]
      const next = this.skipped > 0 ? Math.min(idleAt, this.reportedSkipped + skippedMillis) : idleAt
      yield* Effect.timeoutOption(this.wakeup.wait, next - now)
    }
  })

  private due(): Events | undefined {
    const now = this.now()
    const events = this.waiting
    this.waiting = []
    this.waitingBytes = 0
    if (this.skipped > 0 && now - this.reportedSkipped >= skippedMillis) {
      events.push({ _tag: "Skipped", count: this.skipped })
      this.skipped = 0
      this.reportedSkipped = now
    }
    const [first, ...rest] = events
    return first === undefined ? undefined : [first, ...rest]
  }
}
