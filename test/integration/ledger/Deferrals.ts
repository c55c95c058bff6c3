/**
 * When messages are due: a DPUB and a REQ with a delay must not be delivered before the delay has passed since the harness sent the
 * command, by its monotonic clock. A durable topic keeps the due time over a kill.
 */
import { Column } from "./Column.ts"
import type { Lives } from "./Lives.ts"

/** The daemon counts whole milliseconds, rounds the time of a command down, and its timer may fire within the last one. */
export const toleranceMillis = 2

/** Longest time that a frame is assumed to spend between the daemon and the ledger. */
const transitMillis = 1000

/** Messages that are due later than this stay in the daemon when the run ends. */
export const laterMillis = 600_000

/** A REQ with a delay that was sent for a message. */
export interface Requeue {
  readonly cell: number
  readonly life: number
  readonly due: number
  /** Attempts of the delivery that the REQ belongs to, and its time. */
  readonly attempts: number
  readonly deliveredAt: number
  readonly later: boolean
  /** When the harness knew that the daemon had executed it. */
  confirmedAt: number | undefined
  /** Describes an early delivery that came before it was known whether the daemon had executed the REQ. */
  early: string | undefined
}

export class Deferrals {
  /** Deliveries before the due time. */
  early = 0
  /** Of those after a kill, the ones that a stall of the disk explains; they do not count as early. */
  earlyInStalls = 0
  /** The latest due time of a message that is due before the end of the run. */
  latestDue = 0
  private readonly lives: Lives
  private readonly durable: boolean
  private readonly messageTimeoutMillis: number
  private readonly note: (kind: string, text: string) => void
  /** Due times of DPUBs by row. */
  private readonly dueOf = new Column((length) => new Float64Array(length))
  private readonly requeues = new Map<number, Requeue>()

  constructor(
    options: {
      readonly lives: Lives
      readonly durable: boolean
      readonly messageTimeoutMillis: number
      readonly note: (kind: string, text: string) => void
    }
  ) {
    this.lives = options.lives
    this.durable = options.durable
    this.messageTimeoutMillis = options.messageTimeoutMillis
    this.note = options.note
  }

  /** Records that the daemon's clock was set back: it delivers all messages later. */
  postpone(milliseconds: number): void {
    this.latestDue += milliseconds
  }

  /** Records that a DPUB is about to be sent. */
  publish(row: number, delayMillis: number): void {
    const due = this.lives.now() + delayMillis
    this.dueOf.set(row, due)
    if (delayMillis < laterMillis) this.latestDue = Math.max(this.latestDue, due)
  }

  /** Records that a REQ is about to be sent. */
  requeue(cell: number, life: number, delayMillis: number, attempts: number, deliveredAt: number): Requeue {
    const due = this.lives.now() + delayMillis
    const later = delayMillis >= laterMillis
    if (!later) this.latestDue = Math.max(this.latestDue, due)
    const requeue = { cell, life, due, attempts, deliveredAt, later, confirmedAt: undefined, early: undefined }
    this.requeues.set(cell, requeue)
    return requeue
  }

  /** Records that the daemon has executed the REQ. */
  confirm(requeue: Requeue): void {
    requeue.confirmedAt = this.lives.now()
    if (requeue.early !== undefined) this.count(requeue.early)
  }

  /** Forgets a REQ that the daemon refused. */
  refuse(requeue: Requeue): void {
    if (this.requeues.get(requeue.cell) === requeue) this.requeues.delete(requeue.cell)
  }

  /** Checks a delivery. `publishedIn` is the life in which the message was published, `name` describes it. */
  deliver(
    cell: number,
    row: number,
    life: number,
    attempts: number,
    publishedIn: number,
    name: () => string
  ): void {
    // A queue that is not durable forgets delays in a kill, and may then have two copies of a message.
    if (!this.durable && publishedIn !== life) return void this.requeues.delete(cell)
    const now = this.lives.now()
    const left = this.dueOf.get(row) - toleranceMillis - now
    if (left > 0) {
      this.count(`${name()}, published with a delay, was delivered ${Math.ceil(left)} ms too early`)
    }
    const requeue = this.requeues.get(cell)
    if (requeue === undefined) return
    // This frame left the daemon before the delivery that the REQ belongs to.
    if (requeue.life === life && attempts <= requeue.attempts) return
    this.requeues.delete(cell)
    const early = requeue.due - toleranceMillis - now
    if (early <= 0) return
    const text = `${name()}, requeued with a delay, was delivered ${Math.ceil(early)} ms too early`
    if (requeue.confirmedAt === undefined) {
      // A message that times out may cross its REQ, which then counts for the new delivery.
      const timedOut = now - requeue.deliveredAt > this.messageTimeoutMillis - transitMillis
      if (requeue.life === life && !timedOut) requeue.early = text
    } else if (requeue.life === life) this.count(text)
    else if (this.lives.survives(requeue.life, requeue.confirmedAt)) {
      if (this.lives.isStalled(requeue.life, requeue.confirmedAt)) this.earlyInStalls++
      else this.count(text)
    }
  }

  private count(text: string): void {
    this.early++
    this.note("early", text)
  }
}
