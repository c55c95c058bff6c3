/**
 * Records what was published, acknowledged, delivered and finished, outside of the daemon. A message is a row, and each of its
 * topic's channels is a cell of that row. Columns are typed arrays, because a run has millions of cells.
 *
 * A FIN has no reply. A connection therefore sends a FIN that must fail after those that must succeed, and its error confirms that
 * the daemon has executed all before it: `confirmed`. Only messages that were confirmed longer than the flush window before a kill
 * must not be redelivered. The same holds for REQ.
 */
import { Attempts } from "./Attempts.ts"
import { rowOf } from "./bodies.ts"
import { Column } from "./Column.ts"
import { Deferrals, laterMillis, type Requeue } from "./Deferrals.ts"
import { Ids } from "./Ids.ts"
import { flushWindowMillis, Lives, noiseMillis } from "./Lives.ts"
import type { Report } from "./Report.ts"
import type { Delivery } from "./wire.ts"

/** Ways to publish a message: at once, with a delay, or with a delay that outlasts the run. */
const Kind = { plain: 0, deferred: 1, later: 2 } as const

export interface TopicShape {
  readonly name: string
  readonly channels: ReadonlyArray<string>
}

const State = { none: 0, delivered: 1, finished: 2 } as const

/** A consumer's place: its channel, and the life of the daemon that it is connected to. */
export interface Place {
  readonly topic: number
  readonly channel: number
  readonly life: number
}

/** A delivered message. */
export interface Delivered extends Place {
  readonly row: number
  readonly attempts: number
  readonly at: number
}

/** Upper bounds, in milliseconds, of the time between the FIN of a redelivered message and the kill. */
const ageLimits = [10, flushWindowMillis, flushWindowMillis + noiseMillis, 500, 1000, 2000, Infinity] as const

export interface LedgerOptions {
  readonly topics: ReadonlyArray<TopicShape>
  /** Whether the daemon keeps due times, attempts and finished messages over a kill. */
  readonly durable: boolean
  /** The daemon's --msg-timeout. */
  readonly messageTimeoutMillis: number
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number
  /** Least allowance above the flush window, in milliseconds. Default: `noiseMillis`. */
  readonly noise?: number | undefined
}

export class Ledger {
  readonly topics: ReadonlyArray<TopicShape>
  readonly durable: boolean
  readonly lives: Lives
  private readonly deferrals: Deferrals
  private readonly attempts: Attempts
  private readonly ids: Ids
  private readonly width: number
  private rows = 0
  private acknowledgedRows = 0
  private deliveries = 0
  private finishedCells = 0
  private duplicates = 0
  private duplicatesWithinNoise = 0
  private staleDuplicates = 0
  private duplicatesWithoutRestart = 0
  private secondCopies = 0
  private unconfirmed = 0
  private invented = 0
  private corrupt = 0
  private lowerAttempts = 0
  private lowerAttemptsInStalls = 0
  private duplicatesInStalls = 0
  private readonly duplicatesByAge = ageLimits.map(() => 0)
  private readonly examples: Array<string> = []
  private readonly noted = new Map<string, number>()
  private openCells = 0
  private readonly topicOf = new Column((length) => new Uint8Array(length))
  private readonly publishedIn = new Column((length) => new Uint16Array(length))
  private readonly kindOf = new Column((length) => new Uint8Array(length))
  private readonly acknowledgedOf = new Column((length) => new Uint8Array(length))
  private readonly state = new Column((length) => new Uint8Array(length))
  /** FINs that were sent in `life` and whose result is unknown. */
  private readonly finishing = new Column((length) => new Uint8Array(length))
  private readonly requeued = new Column((length) => new Uint8Array(length))
  /** Cells that were redelivered after a FIN. A queue that is not durable may or may not deliver them once more. */
  private readonly repeated = new Column((length) => new Uint8Array(length))
  private readonly finishedAt = new Column((length) => new Float64Array(length))
  private readonly life = new Column((length) => new Uint16Array(length))
  /** Cells that are due after the end of the run. */
  private readonly later = new Set<number>()

  constructor({ durable, messageTimeoutMillis, noise, now, topics }: LedgerOptions) {
    this.topics = topics
    this.durable = durable
    this.width = Math.max(...topics.map(({ channels }) => channels.length))
    this.lives = new Lives(now, noise)
    const note = (kind: string, text: string): void => this.note(kind, text)
    this.deferrals = new Deferrals({ lives: this.lives, durable, messageTimeoutMillis, note })
    this.attempts = new Attempts(this.lives, durable)
    this.ids = new Ids(note)
  }

  /** Number of cells that are acknowledged, due during the run and not finished, which the daemon must still have. */
  get open(): number {
    return this.openCells
  }

  get acknowledgedCount(): number {
    return this.acknowledgedRows
  }

  get deliveryCount(): number {
    return this.deliveries
  }

  get duplicateCount(): number {
    return this.duplicates
  }

  get finishedCount(): number {
    return this.finishedCells
  }

  /** Milliseconds until the last deferred message of the run is due; negative if it is due. */
  get untilLastDue(): number {
    return this.deferrals.latestDue - this.lives.now()
  }

  /** Records that a message is about to be sent, with a delay if it is not 0, and returns its row. */
  publish(topic: number, delayMillis = 0): number {
    const row = this.rows++
    this.topicOf.set(row, topic)
    this.kindOf.set(row, delayMillis === 0 ? Kind.plain : delayMillis < laterMillis ? Kind.deferred : Kind.later)
    this.publishedIn.set(row, this.lives.current)
    if (delayMillis > 0) this.deferrals.publish(row, delayMillis)
    if (delayMillis >= laterMillis) { for (const cell of this.cellsOf(row)) this.later.add(cell) }
    return row
  }

  acknowledge(row: number): void {
    this.acknowledgedOf.set(row, 1)
    this.acknowledgedRows++
    this.ids.acknowledge(row, this.rows)
    for (const cell of this.cellsOf(row)) if (this.isOpen(row, cell)) this.openCells++
  }

  /** Records that the daemon's clock was set back before a start. */
  setBack(milliseconds: number): void {
    this.deferrals.postpone(milliseconds)
  }

  /** Records that the daemon's clock was set ahead before a start, so that all messages for later are due. */
  setAhead(milliseconds: number): void {
    this.lives.skip(milliseconds)
    for (const cell of this.later) {
      this.change(Math.floor(cell / this.width), cell, () => this.later.delete(cell))
    }
  }

  /** Returns the delivered message; `undefined` if it was not published to that topic. */
  deliver(place: Place, { attempts, body, id }: Delivery): Delivered | undefined {
    this.deliveries++
    const row = rowOf(body)
    const where = `${body.length} bytes on ${this.nameOf(place.topic, place.channel)}`
    if (row === undefined) {
      this.corrupt++
      this.note("corrupt", `corrupt body of ${where}`)
      return undefined
    }
    if (row >= this.rows || this.topicOf.get(row) !== place.topic) {
      this.invented++
      this.note("invented", `message ${row} of ${where} was not published there`)
      return undefined
    }
    const message = { ...place, row, attempts, at: this.lives.now() }
    const cell = this.cellOf(message)
    const name = (): string => `message ${row} on ${this.nameOf(place.topic, place.channel)}`
    this.ids.deliver(row, id)
    this.deferrals.deliver(cell, row, place.life, attempts, this.publishedIn.get(row), name)
    const lower = this.attempts.deliver(cell, place.life, attempts)
    if (lower?.duringStall === true) this.lowerAttemptsInStalls++
    else if (lower !== undefined) {
      this.lowerAttempts++
      this.note("attempts", `${name()} has ${attempts} attempts, expected at least ${lower.least}`)
    }
    this.change(row, cell, () => {
      this.later.delete(cell)
      if (this.finishing.get(cell) > 0 || this.state.get(cell) === State.finished) this.again(place, row, cell)
      // FINs of the same life may still succeed.
      if (this.life.get(cell) !== place.life) this.finishing.set(cell, 0)
      this.state.set(cell, State.delivered)
    })
    return message
  }

  /** Records that a REQ with a delay is about to be sent. */
  requeue(message: Delivered, delayMillis: number): Requeue {
    const cell = this.cellOf(message)
    this.requeued.set(cell, 1)
    const requeue = this.deferrals.requeue(cell, message.life, delayMillis, message.attempts, message.at)
    if (requeue.later) this.change(message.row, cell, () => this.later.add(cell))
    return requeue
  }

  /** Records that the daemon has executed the REQ. */
  confirmRequeue(requeue: Requeue): void {
    this.deferrals.confirm(requeue)
  }

  /** Records that the daemon refused the REQ: the message had timed out and will be redelivered. */
  refuseRequeue(message: Delivered, requeue: Requeue): void {
    this.deferrals.refuse(requeue)
    this.change(message.row, requeue.cell, () => this.later.delete(requeue.cell))
  }

  /** Records that a FIN was written to the socket. */
  finish(message: Delivered): void {
    const cell = this.cellOf(message)
    const sameLife = this.life.get(cell) === message.life
    // A late FIN of a message that had timed out and that another consumer has finished.
    if (this.state.get(cell) === State.finished && sameLife) return
    this.change(message.row, cell, () => {
      this.finishing.set(cell, sameLife ? this.finishing.get(cell) + 1 : 1)
      this.life.set(cell, message.life)
    })
  }

  /** Records that the daemon has executed the FIN. */
  confirm(message: Delivered): void {
    const cell = this.cellOf(message)
    if (this.state.get(cell) === State.finished) return
    this.change(message.row, cell, () => {
      this.state.set(cell, State.finished)
      this.finishing.set(cell, 0)
      this.life.set(cell, message.life)
      this.finishedAt.set(cell, this.lives.now())
      this.finishedCells++
    })
  }

  /** Records that the daemon refused the FIN: the message had timed out and will be redelivered. */
  refuse(message: Delivered): void {
    const cell = this.cellOf(message)
    const finishing = this.finishing.get(cell)
    if (finishing > 0) this.change(message.row, cell, () => this.finishing.set(cell, finishing - 1))
  }

  /** Number of messages that a channel must still have for later, and of those that it may have. */
  laterOn(topic: number, channel: number): { readonly certain: number; readonly uncertain: number } {
    const result = { certain: 0, uncertain: 0 }
    for (const cell of this.later) {
      const row = Math.floor(cell / this.width)
      if (this.topicOf.get(row) !== topic || cell % this.width !== channel) continue
      if (this.acknowledgedOf.get(row) === 1) result.certain++
      else result.uncertain++
    }
    return result
  }

  report(): Report {
    const ids = this.ids.report((row) => this.topicOf.get(row), this.rows)
    const examples = [...this.examples]
    let lost = 0
    let lostAfterRequeue = 0
    let deferredLost = 0
    for (let row = 0; row < this.rows; row++) {
      if (this.acknowledgedOf.get(row) === 0) continue
      for (const [channel, cell] of this.cellsOf(row).entries()) {
        if (!this.isOpen(row, cell)) continue
        const deferred = this.kindOf.get(row) !== Kind.plain
        const requeued = this.requeued.get(cell) === 1
        if (deferred) deferredLost++
        else lost++
        if (!deferred && requeued) lostAfterRequeue++
        if (deferred && !this.durable || lost + deferredLost > 5) continue
        const seen = this.state.get(cell) === State.none ? "never delivered" : "delivered and not finished"
        const how = `${deferred ? ", published with a delay" : ""}${requeued ? ", requeued with a delay" : ""}`
        examples.push(`lost: message ${row} on ${this.nameOf(this.topicOf.get(row), channel)}, ${seen}${how}`)
      }
    }
    return {
      published: this.rows,
      acknowledged: this.acknowledgedRows,
      uncertain: this.rows - this.acknowledgedRows,
      deliveries: this.deliveries,
      finished: this.finishedCells,
      lost,
      lostAfterRequeue,
      deferredLost,
      invented: this.invented,
      corrupt: this.corrupt,
      early: this.deferrals.early,
      earlyInStalls: this.deferrals.earlyInStalls,
      lowerAttempts: this.lowerAttempts,
      lowerAttemptsInStalls: this.lowerAttemptsInStalls,
      ...ids,
      duplicates: this.duplicates,
      duplicatesPercent: this.deliveries === 0 ? 0 : Math.round(this.duplicates / this.deliveries * 100_000) / 1000,
      unconfirmed: this.unconfirmed,
      duplicatesWithinNoise: this.duplicatesWithinNoise,
      duplicatesInStalls: this.duplicatesInStalls,
      staleDuplicates: this.staleDuplicates,
      secondCopies: this.secondCopies,
      duplicatesWithoutRestart: this.duplicatesWithoutRestart,
      duplicatesByAge: Object.fromEntries(
        ageLimits.map((limit, i) => [`under ${limit} ms`, this.duplicatesByAge[i] ?? 0])
      ),
      examples
    }
  }

  private cellsOf(row: number): Array<number> {
    const channels = this.topics[this.topicOf.get(row)]?.channels.length ?? 0
    return Array.from({ length: channels }, (_, channel) => row * this.width + channel)
  }

  private cellOf({ channel, row }: Delivered): number {
    return row * this.width + channel
  }

  private isOpen(row: number, cell: number): boolean {
    return this.acknowledgedOf.get(row) === 1 && this.state.get(cell) !== State.finished &&
      this.finishing.get(cell) === 0 && (this.durable || this.repeated.get(cell) === 0) && !this.later.has(cell)
  }

  /** Runs a change of a cell and counts whether it is open. */
  private change(row: number, cell: number, run: () => void): void {
    const before = this.isOpen(row, cell)
    run()
    const after = this.isOpen(row, cell)
    if (before !== after) this.openCells += after ? 1 : -1
  }

  private nameOf(topic: number, channel: number): string {
    return `${this.topics[topic]?.name}/${this.topics[topic]?.channels[channel]}`
  }

  /** Records that a message was delivered after its FIN. */
  private again(place: Place, row: number, cell: number): void {
    const life = this.life.get(cell)
    const confirmed = this.state.get(cell) === State.finished
    this.repeated.set(cell, 1)
    const name = this.nameOf(place.topic, place.channel)
    if (life === place.life) {
      // An unconfirmed FIN may cross a redelivery after a timeout.
      if (!confirmed) return
      if (this.publishedIn.get(row) === life) {
        this.duplicatesWithoutRestart++
        return this.note("without a restart", `message ${row} was redelivered on ${name} without a restart`)
      }
      this.duplicates++
      this.secondCopies++
      return this.note("twice", `message ${row} was delivered twice on ${name} after restart ${life}`)
    }
    if (!confirmed) {
      this.unconfirmed++
      return
    }
    const age = this.lives.age(life, this.finishedAt.get(cell))
    this.duplicates++
    const bucket = ageLimits.findIndex((limit) => age < limit)
    this.duplicatesByAge[bucket] = (this.duplicatesByAge[bucket] ?? 0) + 1
    if (!this.lives.survives(life, this.finishedAt.get(cell))) {
      if (age > flushWindowMillis) this.duplicatesWithinNoise++
      return
    }
    if (this.lives.isStalled(life, this.finishedAt.get(cell))) {
      this.duplicatesInStalls++
      return
    }
    this.staleDuplicates++
    this.note("stale", `message ${row} was redelivered on ${name}, finished ${Math.round(age)} ms before kill ${life}`)
  }

  /** Keeps the first few examples of each kind. */
  private note(kind: string, text: string): void {
    const count = this.noted.get(kind) ?? 0
    this.noted.set(kind, count + 1)
    if (count < 5) this.examples.push(text)
  }
}
