/**
 * Records what was published, acknowledged, delivered and finished, outside of the daemon. A message is a row, and each of its
 * topic's channels is a cell of that row. Columns are typed arrays, because a run has millions of cells.
 *
 * A FIN has no reply. A connection therefore sends a FIN that must fail after those that must succeed, and its error confirms that
 * the daemon has executed all before it: `confirmed`. Only messages that were confirmed longer than `windowMillis` before a kill
 * must not be redelivered.
 */

/** Ways to publish a message. */
export const Kind = { plain: 0, deferred: 1 } as const
export type Kind = (typeof Kind)[keyof typeof Kind]

export interface TopicShape {
  readonly name: string
  readonly channels: ReadonlyArray<string>
}

const State = { none: 0, delivered: 1, finishing: 2, finished: 3 } as const

/** A message of the ledger on one channel. */
export interface Cell {
  readonly row: number
  readonly channel: number
}

const patternBytes = 1 << 20
const pattern = Buffer.alloc(patternBytes)
for (let i = 0, word = 0x9e3779b9; i < patternBytes; i += 4) {
  word = Math.imul(word ^ (word >>> 15), 0x85ebca6b) + i | 0
  pattern.writeInt32LE(word, i)
}

/** The expected body of a row: its number, then bytes that are derived from it. */
export const bodyOf = (row: number, size: number): Buffer => {
  const head = Buffer.from(`${row},${size},`)
  const from = Math.imul(row, 7919) >>> 13
  return Buffer.concat([head, pattern.subarray(from, from + Math.max(0, size - head.length))])
}

const rowOf = (body: Buffer): { readonly row: number; readonly size: number } | undefined => {
  const match = /^(\d{1,9}),(\d{1,7}),/.exec(body.toString("latin1", 0, 20))
  return match === null ? undefined : { row: Number(match[1]), size: Number(match[2]) }
}

/** A growable typed array. */
class Column<A extends Uint8Array | Uint16Array | Float64Array> {
  private values: A
  private readonly make: (length: number) => A

  constructor(make: (length: number) => A) {
    this.make = make
    this.values = make(1 << 16)
  }

  get(index: number): number {
    return this.values[index] ?? 0
  }

  set(index: number, value: number): void {
    if (index >= this.values.length) {
      const larger = this.make(Math.max(index + 1, this.values.length * 2))
      larger.set(this.values)
      this.values = larger
    }
    this.values[index] = value
  }
}

/** Upper bounds, in milliseconds, of the time between the FIN of a redelivered message and the kill. */
const ageLimits = [10, 50, 100, 500, 1000, 2000, Infinity] as const

export interface Report {
  readonly published: number
  readonly acknowledged: number
  readonly deliveries: number
  readonly finished: number
  /** Acknowledged, published without a delay, and never delivered on at least one channel. */
  readonly lost: number
  /** Of these, those that had been requeued with a delay. */
  readonly lostAfterRequeue: number
  /** Acknowledged DPUBs that were not delivered on at least one channel. */
  readonly deferredLost: number
  /** Redelivered after a restart although the daemon had executed their FIN. */
  readonly duplicates: number
  /** As a percentage of all deliveries. */
  readonly duplicatesPercent: number
  /** Redelivered after a restart although a FIN had been sent; it is unknown whether the daemon had received it. */
  readonly unconfirmed: number
  /** Of these, those that had been confirmed longer than the window before the kill. */
  readonly staleDuplicates: number
  /** Of these, those that were delivered twice after one restart: a queue has the message twice. */
  readonly secondCopies: number
  /** Redelivered by the process that had accepted the message and confirmed its FIN. */
  readonly duplicatesWithoutRestart: number
  readonly duplicatesByAge: Readonly<Record<string, number>>
  readonly wrongBodies: number
  readonly changedIds: number
  readonly examples: ReadonlyArray<string>
}

export class Ledger {
  readonly topics: ReadonlyArray<TopicShape>
  private readonly width: number
  private readonly windowMillis: number
  private rows = 0
  private acknowledgedRows = 0
  private deliveries = 0
  private finishedCells = 0
  private duplicates = 0
  private staleDuplicates = 0
  private duplicatesWithoutRestart = 0
  private secondCopies = 0
  private unconfirmed = 0
  private wrongBodies = 0
  private changedIds = 0
  private readonly duplicatesByAge = ageLimits.map(() => 0)
  private readonly examples: Array<string> = []
  private readonly noted = new Map<string, number>()
  /** The end of each life of the daemon. */
  private readonly ends: Array<number> = []
  private openCells = 0
  private readonly topicOf = new Column((length) => new Uint8Array(length))
  private readonly publishedIn = new Column((length) => new Uint16Array(length))
  private readonly kindOf = new Column((length) => new Uint8Array(length))
  private readonly acknowledgedOf = new Column((length) => new Uint8Array(length))
  private readonly state = new Column((length) => new Uint8Array(length))
  private readonly requeued = new Column((length) => new Uint8Array(length))
  /** Cells that were redelivered after a FIN; they may or may not be delivered once more. */
  private readonly repeated = new Column((length) => new Uint8Array(length))
  private readonly finishedAt = new Column((length) => new Float64Array(length))
  private readonly life = new Column((length) => new Uint16Array(length))
  /** Ids of messages that at least one channel has not finished. */
  private readonly ids = new Map<number, string>()

  constructor(topics: ReadonlyArray<TopicShape>, windowMillis = 100) {
    this.topics = topics
    this.width = Math.max(...topics.map(({ channels }) => channels.length))
    this.windowMillis = windowMillis
  }

  /** Index of the current life of the daemon, from 0. */
  get currentLife(): number {
    return this.ends.length
  }

  /** Number of cells that are acknowledged and not finished, which the daemon must still have. */
  get open(): number {
    return this.openCells
  }

  get finishedCount(): number {
    return this.finishedCells
  }

  publish(topic: number, kind: Kind): number {
    const row = this.rows++
    this.topicOf.set(row, topic)
    this.kindOf.set(row, kind)
    this.publishedIn.set(row, this.currentLife)
    return row
  }

  acknowledge(row: number): void {
    this.acknowledgedOf.set(row, 1)
    this.acknowledgedRows++
    for (const cell of this.cellsOf(row)) if (this.isOpen(row, cell)) this.openCells++
  }

  /** Returns the cell; `undefined` if the message was not published to that topic. */
  deliver(topic: number, channel: number, id: string, body: Buffer): Cell | undefined {
    this.deliveries++
    const told = rowOf(body)
    const known = told !== undefined && told.row < this.rows && this.topicOf.get(told.row) === topic
    if (!known || !bodyOf(told.row, told.size).equals(body)) {
      this.wrongBodies++
      this.note("body", `wrong body of ${body.length} bytes on ${this.nameOf(topic, channel)}`)
      return undefined
    }
    const { row } = told
    const knownId = this.ids.get(row)
    if (knownId === undefined) this.ids.set(row, id)
    else if (knownId !== id) {
      this.changedIds++
      this.note("id", `message ${row} had the id ${knownId} and has ${id}`)
    }
    const cell = row * this.width + channel
    if (this.state.get(cell) >= State.finishing) this.again(row, channel, cell)
    this.state.set(cell, State.delivered)
    return { row, channel }
  }

  requeue({ row, channel }: Cell): void {
    this.requeued.set(row * this.width + channel, 1)
  }

  /** Records that a FIN was written to the socket. */
  finish({ row, channel }: Cell): void {
    const cell = row * this.width + channel
    // A late FIN of a message that had timed out and that another consumer has finished.
    if (this.state.get(cell) === State.finished && this.life.get(cell) === this.currentLife) return
    if (this.isOpen(row, cell)) this.openCells--
    this.state.set(cell, State.finishing)
    this.finishedAt.set(cell, performance.now())
    this.life.set(cell, this.currentLife)
  }

  /** Records that the daemon has executed the FIN. */
  confirm({ row, channel }: Cell): void {
    const cell = row * this.width + channel
    if (this.state.get(cell) === State.finished) return
    if (this.isOpen(row, cell)) this.openCells--
    this.state.set(cell, State.finished)
    this.life.set(cell, this.currentLife)
    this.finishedAt.set(cell, performance.now())
    this.finishedCells++
    if (this.cellsOf(row).every((other) => this.state.get(other) === State.finished)) this.ids.delete(row)
  }

  /** Records that the daemon refused the FIN: the message had timed out and will be redelivered. */
  refuse({ row, channel }: Cell): void {
    const cell = row * this.width + channel
    if (this.state.get(cell) !== State.finishing) return
    this.state.set(cell, State.delivered)
    if (this.isOpen(row, cell)) this.openCells++
  }

  /** Records that the daemon is about to be killed. */
  endLife(): void {
    this.ends.push(performance.now())
  }

  report(): Report {
    const examples = [...this.examples]
    let lost = 0
    let lostAfterRequeue = 0
    let deferredLost = 0
    for (let row = 0; row < this.rows; row++) {
      if (this.acknowledgedOf.get(row) === 0) continue
      for (const [channel, cell] of this.cellsOf(row).entries()) {
        if (!this.isOpen(row, cell)) continue
        if (this.kindOf.get(row) === Kind.deferred) {
          deferredLost++
          continue
        }
        lost++
        if (this.requeued.get(cell) === 1) lostAfterRequeue++
        const seen = this.state.get(cell) === State.none ? "never delivered" : "delivered and not finished"
        const requeued = this.requeued.get(cell) === 1 ? ", requeued with a delay" : ""
        if (lost <= 5) {
          examples.push(`lost: message ${row} on ${this.nameOf(this.topicOf.get(row), channel)}, ${seen}${requeued}`)
        }
      }
    }
    return {
      published: this.rows,
      acknowledged: this.acknowledgedRows,
      deliveries: this.deliveries,
      finished: this.finishedCells,
      lost,
      lostAfterRequeue,
      deferredLost,
      duplicates: this.duplicates,
      duplicatesPercent: this.deliveries === 0 ? 0 : Math.round(this.duplicates / this.deliveries * 100_000) / 1000,
      unconfirmed: this.unconfirmed,
      staleDuplicates: this.staleDuplicates,
      secondCopies: this.secondCopies,
      duplicatesWithoutRestart: this.duplicatesWithoutRestart,
      duplicatesByAge: Object.fromEntries(
        ageLimits.map((limit, i) => [`under ${limit} ms`, this.duplicatesByAge[i] ?? 0])
      ),
      wrongBodies: this.wrongBodies,
      changedIds: this.changedIds,
      examples
    }
  }

  private cellsOf(row: number): Array<number> {
    const channels = this.topics[this.topicOf.get(row)]?.channels.length ?? 0
    return Array.from({ length: channels }, (_, channel) => row * this.width + channel)
  }

  private isOpen(row: number, cell: number): boolean {
    return this.acknowledgedOf.get(row) === 1 && this.repeated.get(cell) === 0 && this.state.get(cell) < State.finishing
  }

  private nameOf(topic: number, channel: number): string {
    return `${this.topics[topic]?.name}/${this.topics[topic]?.channels[channel]}`
  }

  /** Records that a message was delivered after its FIN. */
  private again(row: number, channel: number, cell: number): void {
    const life = this.life.get(cell)
    const confirmed = this.state.get(cell) === State.finished
    this.repeated.set(cell, 1)
    if (life === this.currentLife) {
      // An unconfirmed FIN may cross a redelivery after a timeout.
      if (!confirmed) return
      const name = this.nameOf(this.topicOf.get(row), channel)
      if (this.publishedIn.get(row) === life) {
        this.duplicatesWithoutRestart++
        return this.note("without a restart", `message ${row} was redelivered on ${name} without a restart`)
      }
      this.duplicates++
      this.secondCopies++
      return this.note("twice", `message ${row} was delivered twice on ${name} after restart ${life}`)
    }
    const age = (this.ends[life] ?? 0) - this.finishedAt.get(cell)
    if (!confirmed) {
      this.unconfirmed++
      return
    }
    this.duplicates++
    const bucket = ageLimits.findIndex((limit) => age < limit)
    this.duplicatesByAge[bucket] = (this.duplicatesByAge[bucket] ?? 0) + 1
    if (age <= this.windowMillis) return
    this.staleDuplicates++
    const name = this.nameOf(this.topicOf.get(row), channel)
    this.note("stale", `message ${row} was redelivered on ${name}, finished ${Math.round(age)} ms before kill ${life}`)
  }

  /** Keeps the first few examples of each kind. */
  private note(kind: string, text: string): void {
    const count = this.noted.get(kind) ?? 0
    this.noted.set(kind, count + 1)
    if (count < 5) this.examples.push(text)
  }
}
