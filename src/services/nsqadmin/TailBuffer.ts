/**
 * Between nsqds that send messages and a browser that shows them: lets a bounded number through, in a bounded amount of memory,
 * and counts the rest. Plain state with synchronous methods; one fiber takes what there is.
 */
import { type Cause, type Clock, Effect } from "effect"
import type { Message } from "../../protocol/client/Message.ts"
import { maxTailedBytes, type TailEvent } from "../../protocol/http/admin/AdminLive.ts"
import { Wakeup } from "../core/Wakeup.ts"

/** Nobody reads more. */
const maxPerSecond = 100

/** What waits for a browser that is slow, in bytes of bodies. */
const maxWaitingBytes = 4 * 1024 * 1024

/** How often the number of skipped messages is told. */
const skippedMillis = 1000
const idleMillis = 15_000

type Events = readonly [TailEvent, ...Array<TailEvent>]

export class TailBuffer {
  private readonly now: () => number
  private readonly wakeup = new Wakeup()
  private waiting: Array<TailEvent> = []
  private waitingBytes = 0
  /** The second in which messages are counted, and how many there were. */
  private secondBegan = -Infinity
  private inSecond = 0
  private skipped = 0
  private toldSkipped = -Infinity

  constructor(clock: Clock.Clock) {
    this.now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
  }

  /** A message that came from the nsqd at `node`. */
  add(node: string, { attempts, body, id, timestamp }: Message): void {
    const now = this.now()
    if (now - this.secondBegan >= 1000) {
      this.secondBegan = now
      this.inSecond = 0
    }
    const shown = body.subarray(0, maxTailedBytes)
    if (this.inSecond >= maxPerSecond || this.waitingBytes + shown.length > maxWaitingBytes) {
      // Who takes events has to know only that there is something to be told in a while.
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

  /** The next events; `Idle` when there are none for a while. */
  readonly take: Effect.Effect<Events, Cause.Done> = Effect.gen({ self: this }, function*() {
    const idleAt = this.now() + idleMillis
    while (true) {
      const events = this.due()
      if (events !== undefined) return events
      const now = this.now()
      if (now >= idleAt) return [{ _tag: "Idle" }]
      const next = this.skipped > 0 ? Math.min(idleAt, this.toldSkipped + skippedMillis) : idleAt
      yield* Effect.timeoutOption(this.wakeup.wait, next - now)
    }
  })

  private due(): Events | undefined {
    const now = this.now()
    const events = this.waiting
    this.waiting = []
    this.waitingBytes = 0
    if (this.skipped > 0 && now - this.toldSkipped >= skippedMillis) {
      events.push({ _tag: "Skipped", count: this.skipped })
      this.skipped = 0
      this.toldSkipped = now
    }
    const [first, ...rest] = events
    return first === undefined ? undefined : [first, ...rest]
  }
}
