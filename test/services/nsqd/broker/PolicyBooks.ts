/**
 * What a test has published to a topic with policies, and what must become of it: which publishes are stored, and how a dead letter and
 * a redriven message look.
 */
import type { Headers } from "../../../../src/protocol/client/Headers.ts"
import { check } from "../log/LogModel.ts"
import { type Instance, type Observed, type Permitted, TopicModel } from "./PolicyModel.ts"

/** A publish of the test. Its body is its number. */
export interface Publish {
  readonly number: number
  readonly key: string | undefined
  readonly at: number
  readonly headers: Headers
  /** `maybe`: a crash came before the reply. `absent`: it was refused, or its key was stored before. */
  existence: "certain" | "maybe" | "absent"
}

/** The name of the consumer of the test, which dead letters have. */
export const clientName = "tester"

/** The topic `t` with the channels `a` and `b`, and its dead-letter topic with the channel `r`. */
export class Books {
  readonly origin = new TopicModel("t", ["a", "b"])
  readonly dead = new TopicModel("t.dlq", ["r"])
  readonly models: ReadonlyArray<TopicModel> = [this.origin, this.dead]
  /** What went wrong while messages were delivered. */
  readonly faults: Array<string> = []
  /** Until this time keys may have been forgotten. */
  keysForgottenAt = -Infinity
  /** How far the wall clock was set back, in ms. The times of the books are those of a clock that is never set. */
  setBack = 0
  private readonly publishes = new Map<number, Publish>()
  /** Redriven messages that may appear, by number. */
  private readonly expected = new Map<number, number>()
  /** Redriven messages that have appeared. */
  redriven = 0
  /** The window of the keys, in ms. */
  private readonly dedupMillis: number

  constructor(dedupMillis: number) {
    this.dedupMillis = dedupMillis
  }

  /** The model of a channel's topic. */
  modelOf(channel: string): TopicModel {
    return channel === "r" ? this.dead : this.origin
  }

  // ---- publishes

  /** A new publish, whose result is not known. */
  publish(key: string | undefined, at: number, own: Headers): Publish {
    const headers = key === undefined ? own : { ...own, "nsq-dedup-key": key }
    const published: Publish = { number: this.publishes.size + 1, key, at, headers, existence: "maybe" }
    this.publishes.set(published.number, published)
    return published
  }

  /** Whether a key is within the window of a message that is stored at `now`. */
  knows(key: string, now: number): "certain" | "maybe" | "absent" {
    const from = now - this.dedupMillis
    // After a restart a key from before the clock was set back seems to be younger.
    const perhapsFrom = from - this.setBack
    const before = [...this.publishes.values()].filter((each) =>
      each.key === key && each.at > perhapsFrom && each.existence !== "absent"
    )
    const isCertain = ({ at, existence }: Publish): boolean =>
      existence === "certain" && at > Math.max(from, this.keysForgottenAt)
    if (before.some(isCertain)) return "certain"
    const isRedriven = ({ acceptedAt, observed: { headers }, redriven }: Instance): boolean =>
      redriven > 0 && headers["nsq-dedup-key"] === key && acceptedAt > perhapsFrom - this.setBack
    return before.length > 0 || [...this.origin.instances.values()].some(isRedriven) ? "maybe" : "absent"
  }

  /** Publishes without a reply that the log does not have after a crash were never accepted. */
  settlePublishes(): void {
    for (const published of this.publishes.values()) {
      if (published.existence === "maybe") published.existence = "absent"
    }
    this.expected.clear()
  }

  /** The messages of these numbers are about to be redriven. */
  expectRedriven(numbers: ReadonlyArray<number>): void {
    this.expected.clear()
    for (const number of numbers) this.expected.set(number, (this.expected.get(number) ?? 0) + 1)
  }

  // ---- what the logs have

  /** Adds the messages that the log of `t` has. Each publish that was accepted has one message. */
  learn(observed: ReadonlyArray<Observed>, isRestart: boolean): void {
    for (const instance of this.origin.learn(observed, isRestart)) this.accept(instance)
    const known = new Set(Array.from(this.origin.instances.values(), ({ number }) => number))
    for (const { existence, number } of this.publishes.values()) {
      check(existence !== "certain" || known.has(number), () => `message ${number} was accepted and is not stored`)
    }
  }

  private accept({ number, observed: { headers }, redriven }: Instance): void {
    const published = this.publishes.get(number)
    if (published === undefined) throw new Error(`message ${number} was never published`)
    const told = (): string => `message ${number} with the headers ${JSON.stringify(headers)}`
    check(published.existence !== "absent", () => `${told()} was refused, or is a duplicate, and is stored`)
    check(headers["nsq-dead-reason"] === undefined, () => `${told()} is a dead letter`)
    this.checkHeaders(number, headers, redriven === 0 ? "nsq-expires" : undefined, told)
    if (redriven === 0) {
      const twins = [...this.origin.instances.values()].filter((each) => each.number === number && each.redriven === 0)
      check(twins.length === 1, () => `${told()} is stored twice`)
      published.existence = "certain"
      return
    }
    const left = this.expected.get(number) ?? 0
    check(left > 0, () => `${told()} was published again`)
    this.expected.set(number, left - 1)
    this.redriven++
  }

  /** A message has the headers of its publish; its own time-to-live is in `expiresIn`. */
  private checkHeaders(number: number, headers: Headers, expiresIn: string | undefined, told: () => string): void {
    const { "nsq-expires": expires, ...published } = this.publishes.get(number)?.headers ?? {}
    for (const [name, value] of Object.entries(published)) check(headers[name] === value, told)
    for (const name of ["nsq-expires", "nsq-origin-expires"]) {
      check(headers[name] === (name === expiresIn ? expires : undefined), told)
    }
  }

  /** Adds the dead letters that their topic has; returns where the new ones come from. */
  learnLetters(
    observed: ReadonlyArray<Observed>,
    isRestart: boolean,
    permittedIn: (channel: string) => Permitted
  ): ReadonlyArray<{ readonly channel: string; readonly id: string }> {
    return this.dead.learn(observed, isRestart).map((letter) => this.checkLetter(letter, permittedIn))
  }

  private checkLetter(letter: Instance, permittedIn: (channel: string) => Permitted) {
    const { headers } = letter.observed
    const { "nsq-origin-channel": channel = "", "nsq-origin-id": id = "", "nsq-dead-reason": reason } = headers
    const told = (): string => `message ${letter.number} is a dead letter with ${JSON.stringify(headers)}`
    const instance = this.origin.instances.get(id)
    check(headers["nsq-origin-topic"] === "t" && this.origin.channels.has(channel), told)
    check(instance !== undefined && letter.number === instance.number, told)
    check(headers["nsq-origin-timestamp"] === String(instance?.observed.timestamp), told)
    // A redriven message has no time-to-live of its own any more.
    this.checkHeaders(letter.number, headers, instance?.redriven === 0 ? "nsq-origin-expires" : undefined, told)
    const { doomed, isUncertain } = this.origin.entry(channel, id)
    if (doomed !== undefined) {
      check(reason === doomed.reason && headers["nsq-origin-attempts"] === String(doomed.attempts), told)
      check(headers["nsq-origin-client"] === clientName, told)
      return { channel, id }
    }
    const { buriesByAttempts, buriesByLimit, buriesExpired, delaysLetters } = permittedIn(channel)
    const isPermitted = reason === "limit"
      ? buriesByLimit
      : reason === "expired"
      ? buriesExpired
      : reason === "max_attempts" && buriesByAttempts
    check(isUncertain || delaysLetters || isPermitted, told)
    return { channel, id }
  }
}
