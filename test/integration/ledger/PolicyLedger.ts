/**
 * Records what was published with keys, delivered, finished and given up while policies move messages to dead-letter topics. A message
 * is a row. Its publish is repeated with the same key until it has a reply, so that every row is accepted in the end, once.
 */
import { bodyOf, rowOf } from "./bodies.ts"
import type { Delivery, Headers } from "./wire.ts"

/** What the harness found, as numbers of messages unless stated otherwise. */
export interface PolicyReport {
  readonly published: number
  /** Publishes that were sent again with the key of an earlier one. */
  readonly repeated: number
  /** Dead letters at the end of the load. A kill may leave two of one message. */
  readonly dead: number
  readonly redriven: number
  /** Neither finished nor a dead letter. */
  readonly lost: number
  /** Stored more than once for one key. */
  readonly storedTwice: number
  /** Dead letters that did not arrive after the redrive. */
  readonly notRedriven: number
  readonly invented: number
  readonly corrupt: number
  /** Dead letters whose headers do not have their origin. */
  readonly wrongOrigins: number
  readonly examples: ReadonlyArray<string>
}

/** A message as `/messages` has it. */
export interface DeadLetter {
  readonly headers: Headers
  readonly body: Buffer
}

interface Row {
  readonly topic: string
  readonly size: number
  isAcknowledged: boolean
  isFinished: boolean
  isRedriven: boolean
  /** The ids that it had, without those of redriven copies. */
  readonly ids: Set<string>
}

export class PolicyLedger {
  private readonly rows: Array<Row> = []
  private readonly letters = new Map<number, number>()
  private readonly examples: Array<string> = []
  private openRows = 0
  private repeated = 0
  private invented = 0
  private corrupt = 0
  private wrongOrigins = 0

  /** Number of messages that were accepted and that no consumer has finished. */
  get open(): number {
    return this.openRows
  }

  /** Whether consumers never finish the row before the end. */
  isBad(row: number): boolean {
    return row % 16 === 5
  }

  publish(topic: string, size: number): number {
    this.rows.push({ topic, size, isAcknowledged: false, isFinished: false, isRedriven: false, ids: new Set() })
    return this.rows.length - 1
  }

  acknowledge(row: number): void {
    const found = this.rows[row]
    if (found === undefined || found.isAcknowledged) return
    found.isAcknowledged = true
    if (!found.isFinished) this.openRows++
  }

  /** Rows without a reply, and some of the others, for publishers that send them again. */
  again(topic: string, some: () => boolean): ReadonlyArray<number> {
    const rows: Array<number> = []
    for (const [row, found] of this.rows.entries()) {
      if (found.topic === topic && (!found.isAcknowledged || some())) rows.push(row)
    }
    this.repeated += rows.length
    return rows
  }

  bodyOf(row: number): Buffer {
    return bodyOf(row, this.rows[row]?.size ?? 0)
  }

  /** Returns the row of a delivered message; `undefined` if it was not published to the topic. */
  deliver(topic: string, { body, headers, id }: Delivery): number | undefined {
    const row = this.find(topic, body)
    if (row === undefined) return undefined
    const found = this.rows[row]!
    if (headers?.["nsq-dedup-key"] !== keyOf(row)) {
      this.corrupt++
      this.note(`message ${row} has the headers ${JSON.stringify(headers)}`)
    }
    if (headers?.["nsq-redriven"] === undefined) found.ids.add(id)
    else found.isRedriven = true
    return row
  }

  private find(topic: string, body: Buffer): number | undefined {
    const row = rowOf(body)
    if (row === undefined) {
      this.corrupt++
      this.note(`corrupt body of ${body.length} bytes in ${topic}`)
    } else if (this.rows[row]?.topic === topic) return row
    else {
      this.invented++
      this.note(`message ${row} was not published to ${topic}`)
    }
    return undefined
  }

  /** A FIN was sent. */
  finish(row: number): void {
    const found = this.rows[row]
    if (found === undefined || found.isFinished) return
    found.isFinished = true
    if (found.isAcknowledged) this.openRows--
  }

  /** The dead letters of a topic at the end of the load. */
  addLetters(topic: string, channel: string, letters: ReadonlyArray<DeadLetter>): void {
    for (const { body, headers } of letters) {
      const row = this.find(topic, body)
      if (row === undefined) continue
      this.letters.set(row, (this.letters.get(row) ?? 0) + 1)
      this.rows[row]!.ids.add(headers["nsq-origin-id"] ?? "")
      const reason = headers["nsq-dead-reason"] ?? ""
      // Those are moved without a delivery.
      const isUndelivered = reason === "limit" || reason === "expired"
      const isComplete = headers["nsq-origin-topic"] === topic && headers["nsq-origin-channel"] === channel &&
        Number(headers["nsq-origin-attempts"]) >= (isUndelivered ? 0 : 1) && headers["nsq-dedup-key"] === keyOf(row) &&
        (isUndelivered || reason === "max_attempts" || reason === "bad")
      if (isComplete) continue
      this.wrongOrigins++
      this.note(`dead letter ${row} has the headers ${JSON.stringify(headers)}`)
    }
  }

  report(): PolicyReport {
    let lost = 0
    let storedTwice = 0
    let notRedriven = 0
    let redriven = 0
    for (const [row, { ids, isFinished, isRedriven, topic }] of this.rows.entries()) {
      const isDead = this.letters.has(row)
      if (isRedriven) redriven++
      if (isDead && !isRedriven) {
        notRedriven++
        this.note(`dead letter ${row} of ${topic} did not arrive after the redrive`)
      }
      if (!isFinished && !isDead) {
        lost++
        this.note(`message ${row} of ${topic} is lost`)
      }
      if (ids.size > 1) {
        storedTwice++
        this.note(`message ${row} of ${topic} is stored as ${[...ids].join(" and ")}`)
      }
    }
    return {
      published: this.rows.length,
      repeated: this.repeated,
      dead: [...this.letters.values()].reduce((sum, count) => sum + count, 0),
      redriven,
      lost,
      storedTwice,
      notRedriven,
      invented: this.invented,
      corrupt: this.corrupt,
      wrongOrigins: this.wrongOrigins,
      examples: this.examples
    }
  }

  private note(text: string): void {
    if (this.examples.length < 20) this.examples.push(text)
  }
}

/** The key of a row's publishes. */
export const keyOf = (row: number): string => `row-${row}`
