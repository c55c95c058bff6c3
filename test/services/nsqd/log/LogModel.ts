/**
 * A model of a durable log: which messages exist, and what state each of them may have in each channel. A crash reverts a
 * message to any state that it had at or since the last one that is known to be recorded.
 */
/** Throws unless `isTrue`. The message is made for a failure only: there are millions of checks. */
export const check = (isTrue: boolean, message: () => string): void => {
  if (!isTrue) throw new Error(message())
}

/** Chance that follows from a seed, so that a failed run can be repeated. */
export class Chance {
  private counter: number

  constructor(seed: number) {
    this.counter = Math.imul(seed + 1, 0x9e3779b1)
  }

  /** A number from 0 up to, but not including, `limit`. */
  below(limit: number): number {
    this.counter = (this.counter + 0x6d2b79f5) | 0
    let bits = Math.imul(this.counter ^ (this.counter >>> 15), this.counter | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  happens(percent: number): boolean {
    return this.below(100) < percent
  }
  pick<A>(values: ReadonlyArray<A>): A {
    return values[this.below(values.length)]!
  }
  some<A>(values: ReadonlyArray<A>, percent: number): ReadonlyArray<A> {
    const chosen = values.filter(() => this.happens(percent))
    return chosen.map((value) => ({ value, order: this.below(1000) })).sort((a, b) => a.order - b.order).map((
      { value }
    ) => value)
  }
}

/** Whether a message is in the log. `maybe`: its publish failed, or a crash may have lost it. */
export type Existence = "pending" | "certain" | "maybe" | "gone"

export interface Message {
  readonly number: number
  readonly size: number
  /** Its encoded headers; empty if it has none. */
  readonly headers: string
  /** 0 if it is not deferred. */
  readonly due: number
  existence: Existence
  /** Whether a loss of power keeps it. */
  isDurable: boolean
  /** Whether its write failed, or the disk may have lost it later: a sync promises nothing. */
  isTainted: boolean
  sequence: number | undefined
  isHanded: boolean
  /** Whether an earlier process has stored it without handing it over: channels defer it when they read it. */
  isOld: boolean
}

/** What a recovered channel may know of a message. */
interface State {
  readonly isFinished: boolean
  /** 0 if it waits. */
  readonly due: number
  readonly attempts: number
  /** It has been due. If the clock is set back, it waits, or is deferred until it is due again. */
  readonly wasDue?: boolean
}

/** `maybe`: finished, deferred, not there, or waiting; its next delivery tells. */
export type Place = "waiting" | "in flight" | "deferred" | "finished" | "maybe"

const isDelivered = (state: State, now: number): boolean =>
  !state.isFinished && (state.due <= now || state.wasDue === true)

/** A message in a channel. */
export class Entry {
  readonly message: Message
  place: Place
  attempts = 1
  due: number
  wasDelivered = false
  private states: Array<State>
  /** The newest state that survives the end of the process, and a loss of power. */
  private recorded = 0
  private durable = 0

  constructor(message: Message, now: number) {
    this.message = message
    this.due = message.due
    this.states = [{ isFinished: false, due: message.due, attempts: 1 }]
    this.place = message.due > now ? (message.isOld ? "maybe" : "deferred") : "waiting"
  }

  private note(state: State): void {
    this.states.push(state)
  }
  finish(): void {
    this.place = "finished"
    this.note({ isFinished: true, due: 0, attempts: 0 })
  }
  returned(attempts: number): void {
    this.attempts = attempts
    this.note({ isFinished: false, due: 0, attempts })
  }
  defer(due: number, attempts: number): void {
    this.place = "deferred"
    this.attempts = attempts
    this.due = due
    this.note({ isFinished: false, due, attempts })
  }

  /** A deferred message is due. */
  release(): void {
    this.place = "waiting"
    this.states = this.states.map((state, at) => at === this.states.length - 1 ? { ...state, wasDue: true } : state)
  }

  noteRecorded(): void {
    if (this.place !== "maybe") this.recorded = this.states.length - 1
  }
  noteDurable(): void {
    this.durable = this.recorded
  }

  /** A crash leaves one of the states since the last recorded one. */
  crash(isPowerLoss: boolean): void {
    this.states = this.states.slice(isPowerLoss ? this.durable : this.recorded)
    this.recorded = 0
    this.durable = 0
    this.wasDelivered = false
    this.place = "maybe"
  }

  private where(): string {
    return `message ${this.message.number} (${this.message.existence}, ${this.place}) with ${
      JSON.stringify(this.states)
    }`
  }

  /** The message is delivered. */
  deliver(attempts: number, now: number): void {
    if (this.place === "maybe") {
      const possible = this.states.filter((state) => isDelivered(state, now) && state.attempts === attempts)
      // If it may have been deferred, it may be deferred again when the clock is set back.
      const [found] = possible.sort((a, b) => b.due - a.due)
      if (found === undefined) {
        throw new Error(`at ${now} unexpected delivery with attempts ${attempts}: ${this.where()}`)
      }
      this.note({ ...found, wasDue: true })
    } else {
      check(
        this.place === "waiting" && attempts === this.attempts,
        () => `at ${now} unexpected delivery with attempts ${attempts}: ${this.where()}`
      )
    }
    this.place = "in flight"
    this.attempts = attempts
    this.wasDelivered = true
    this.message.existence = "certain"
  }

  /** After a restart, all messages of the channel were read, and this one was not among them. */
  missed(now: number): void {
    if (this.message.existence === "gone") return
    const mayBeDeferred = this.states.some((state) => !state.isFinished && state.due > now)
    const mayBeFinished = this.states.some((state) => state.isFinished)
    const isLost = this.message.existence === "certain" && !mayBeDeferred && !mayBeFinished
    check(!isLost, () => `at ${now} lost ${this.where()}`)
    if (!mayBeDeferred) return this.finish()
    if (mayBeFinished || this.message.existence !== "certain") return
    const deferred = this.states.filter((state) => !state.isFinished && state.due > now)
    const [first] = deferred
    if (
      first !== undefined && deferred.every(({ attempts, due }) => attempts === first.attempts && due === first.due)
    ) {
      this.defer(first.due, first.attempts)
    }
  }
}

export class ChannelModel {
  readonly name: string
  readonly entries = new Map<number, Entry>()
  /** The highest number of first deliveries of messages that were not deferred. */
  lastFirst = 0
  /** Numbers of messages that were ever delivered. */
  readonly everDelivered = new Set<number>()

  constructor(name: string) {
    this.name = name
  }

  all(place: Place): ReadonlyArray<Entry> {
    return [...this.entries.values()].filter((entry) => entry.place === place)
  }
}

export class LogModel {
  readonly messages = new Map<number, Message>()
  readonly channels = new Map<string, ChannelModel>()
  private readonly bySequence = new Map<number, number>()
  isHeld = false
  /** Whether a restart finds the same messages held. */
  isHoldRecorded = false
  now: number

  constructor(now: number) {
    this.now = now
  }

  /** A new message, which is being published. */
  publish(size: number, due: number, headersOf: (number: number) => string): Message {
    const number = this.messages.size + 1
    const message: Message = {
      number,
      size,
      headers: headersOf(number),
      due,
      existence: "pending",
      isDurable: false,
      isTainted: false,
      sequence: undefined,
      isHanded: false,
      isOld: false
    }
    this.messages.set(message.number, message)
    return message
  }

  get held(): ReadonlyArray<Message> {
    return [...this.messages.values()].filter(({ existence, isHanded }) => !isHanded && existence !== "gone")
  }

  /** All stored messages reach the channels. */
  handOver(): void {
    for (const message of this.held) {
      if (message.existence !== "pending") this.hand(message)
    }
  }

  private hand(message: Message): void {
    message.isHanded = true
    for (const channel of this.channels.values()) {
      const entry = new Entry(message, this.now)
      if (message.existence === "maybe") entry.place = "maybe"
      channel.entries.set(message.number, entry)
    }
  }

  /** Messages that exist and were not handed over, at least and at most. */
  get depth(): readonly [number, number] {
    const { held } = this
    return [held.filter(({ existence }) => existence === "certain").length, held.length]
  }

  /** A message is delivered. */
  delivered(channel: ChannelModel, number: number, sequence: number, attempts: number): Entry {
    const message = this.messages.get(number)
    const where = (): string => `${channel.name}: message ${number}, sequence ${sequence}`
    if (message === undefined) throw new Error(`${where()} was never published`)
    check(message.existence !== "gone", () => `${where()} is gone`)
    // Stored just now, and its publisher does not know yet.
    if (!message.isHanded && !this.isHeld) this.hand(message)
    check(message.isHanded, () => `${where()} was not handed over`)
    check((message.sequence ?? sequence) === sequence, () => `${where()} had sequence ${message.sequence}`)
    check((this.bySequence.get(sequence) ?? number) === number, () => `${where()} is ${this.bySequence.get(sequence)}`)
    message.sequence = sequence
    this.bySequence.set(sequence, number)
    const wasCertain = message.existence === "certain"
    const entry = channel.entries.get(number)
    if (entry === undefined) throw new Error(`${where()} does not belong there`)
    entry.deliver(attempts, this.now)
    if (message.due === 0 && wasCertain && !channel.everDelivered.has(number)) {
      check(number > channel.lastFirst, () => `${where()} is out of order`)
      channel.lastFirst = number
    }
    channel.everDelivered.add(number)
    return entry
  }

  noteRecorded(): void {
    this.isHoldRecorded = true
    for (const { entries } of this.channels.values()) for (const entry of entries.values()) entry.noteRecorded()
    for (const message of this.messages.values()) if (message.existence === "pending") message.existence = "gone"
  }

  noteDurable(): void {
    for (const { entries } of this.channels.values()) for (const entry of entries.values()) entry.noteDurable()
    for (const message of this.messages.values()) {
      if (message.existence === "certain" && !message.isTainted) message.isDurable = true
    }
  }

  /** The machine or the process has stopped. */
  crash(isPowerLoss: boolean): void {
    for (const message of this.messages.values()) {
      if (message.existence === "pending") message.existence = "maybe"
      if (isPowerLoss && message.existence === "certain" && !message.isDurable) {
        message.existence = "maybe"
        // Its sequence may be used again.
        if (message.sequence !== undefined) this.bySequence.delete(message.sequence)
        message.sequence = undefined
      }
      if (!message.isHanded) message.isOld = true
    }
    for (const { entries } of this.channels.values()) for (const entry of entries.values()) entry.crash(isPowerLoss)
  }

  /** All messages of all channels were read after a restart. */
  settle(): void {
    for (const { entries } of this.channels.values()) {
      for (const entry of entries.values()) if (!entry.wasDelivered) entry.missed(this.now)
    }
    for (const message of this.messages.values()) {
      if (message.existence !== "maybe" || !message.isHanded) continue
      const entries = [...this.channels.values()].flatMap(({ entries }) => entries.get(message.number) ?? [])
      if (entries.every(({ place }) => place === "finished")) message.existence = "gone"
    }
  }
}
