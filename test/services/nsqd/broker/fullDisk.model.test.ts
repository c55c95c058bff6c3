/**
 * Brokers whose disk is full repeatedly, with anything happening in between. Every accepted message comes to every channel, once if
 * nothing was killed, and the depths are right at any time.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import * as Chance from "../../../../src/testing/Chance.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { layer } from "../storage/queues.ts"
import { capacity, fill, numberOf, paused, range, start, usedBytes } from "./fullDisk.ts"
import { channelOf, join, type Joined, topicOf } from "./testing.ts"

const kib = 1024

interface Member {
  readonly channel: string
  readonly joined: Joined
  readonly scope: Scope.Closeable
  /** Messages in flight. */
  readonly held: Array<{ readonly id: string; readonly number: number }>
}

const steps = [
  "fill",
  "publish",
  "join",
  "leave",
  "finish",
  "finish",
  "finish",
  "requeue",
  "pause",
  "unpause",
  "take space",
  "give space",
  "restart",
  "wait"
] as const

/** A broker and what has happened to its messages. Nothing waits in memory only. */
class Life {
  /** The steps so far. */
  readonly story: Array<string>
  private readonly chance: Chance.Chance
  private readonly channels: ReadonlyArray<string>
  private readonly withKills: boolean
  private readonly maxBytesPerFile: number
  private running: Effect.Success<ReturnType<typeof start>> | undefined
  private members: Array<Member> = []
  private published = 0
  /** How often each channel has finished each message. */
  private readonly finished: ReadonlyMap<string, Map<number, number>>
  /** Whether messages may be redelivered, because of a kill or of a stop without space for what only one of the channels had. */
  private mayRepeat = false

  constructor(seed: number) {
    this.chance = Chance.make(seed)
    this.channels = ["one", "other"].slice(0, 1 + this.pick(2))
    this.withKills = this.pick(2) === 0
    this.maxBytesPerFile = [100 * kib * kib, 300 * kib][this.pick(2)]!
    this.finished = new Map(this.channels.map((name) => [name, new Map()]))
    this.story = [`${this.channels.length} channels, kills: ${this.withKills}, files of ${this.maxBytesPerFile} bytes`]
  }

  private pick(below: number): number {
    return Math.floor(this.chance() * below)
  }

  private inBroker<A, E, R>(effect: Effect.Effect<A, E, R>) {
    const { running } = this
    if (running === undefined) throw new Error("the broker is not running")
    return Effect.provideContext(effect, running.context)
  }

  private publish(most: number) {
    const bytes = () => 4000 + this.pick(8000)
    return Effect.map(this.inBroker(fill(this.published, most, bytes)), (next) => void (this.published = next))
  }

  private readonly startBroker = Effect.fnUntraced(function*(this: Life) {
    this.running = yield* start(0, this.maxBytesPerFile)
    for (const name of this.channels) yield* this.inBroker(channelOf("t", name))
  })

  private readonly joinTo = Effect.fnUntraced(function*(this: Life, channel: string, ready: number) {
    const scope = yield* Scope.make()
    const joined = yield* this.inBroker(Scope.provide(join("t", channel, ready, { msgTimeout: 3_600_000 }), scope))
    this.members.push({ channel, joined, scope, held: [] })
  })

  private leave(at: number) {
    const [member] = this.members.splice(at, 1)
    return member === undefined ? Effect.void : Scope.close(member.scope, Exit.void)
  }

  private finish({ channel, held, joined }: Member, most: number): void {
    for (const { body, id } of joined.recording.take()) held.push({ id, number: numberOf(body) })
    const finished = this.finished.get(channel)
    for (const { id, number } of held.splice(0, most)) {
      joined.subscription.finish(messageKey(id))
      finished?.set(number, (finished.get(number) ?? 0) + 1)
    }
  }

  private readonly restart = Effect.fnUntraced(function*(this: Life) {
    const isKill = this.withKills && this.pick(2) === 0
    this.story.push(isKill ? "kill" : "stop")
    this.members = []
    if (isKill || this.channels.length > 1) this.mayRepeat = true
    yield* isKill ? this.running!.kill : this.running!.stop
    yield* this.startBroker()
  })

  private readonly step = Effect.fnUntraced(function*(this: Life) {
    const faulty = yield* FaultyDisk
    const what = steps[this.pick(steps.length)]!
    this.story.push(what)
    if (what === "fill") yield* this.publish(1000)
    else if (what === "publish") yield* this.publish(1 + this.pick(20))
    else if (what === "join") {
      const channel = this.channels[this.pick(this.channels.length)]!
      if (this.members.length < 3) yield* this.joinTo(channel, 1 + this.pick(60))
    } else if (what === "leave") yield* this.leave(this.pick(this.members.length))
    else if (what === "finish") {
      for (let round = 0; round < 5; round++) {
        for (const member of this.members) this.finish(member, 1 + this.pick(60))
        yield* TestClock.adjust("20 millis")
      }
    } else if (what === "requeue") {
      for (const { held, joined } of this.members) {
        for (const { id } of held.splice(0, this.pick(10))) {
          joined.subscription.requeue(messageKey(id), this.pick(2) * 1000)
        }
      }
    } else if (what === "pause") yield* this.inBroker(paused(true))
    else if (what === "unpause") yield* this.inBroker(paused(false))
    // Not so little that there is no reserve.
    else if (what === "take space") faulty.resize(Math.max(1100 * kib, yield* usedBytes))
    else if (what === "give space") faulty.resize(Math.max(capacity, (yield* usedBytes) + this.pick(800) * kib))
    else if (what === "restart") {
      if (this.pick(2) === 0) yield* this.restart()
    } else yield* TestClock.adjust(`${this.pick(3000)} millis`)
    yield* TestClock.adjust("30 millis")
    yield* TestClock.adjust("30 millis")
  })

  /** Every unfinished message counts once at each channel. */
  private readonly check = Effect.fnUntraced(function*(this: Life) {
    if (this.mayRepeat) return
    const topic = yield* this.inBroker(topicOf("t"))
    for (const { name, unfinished } of topic.channels) {
      const left = this.published - this.finished.get(name)!.size
      assert.strictEqual(topic.depth + unfinished, left, `unfinished at ${name} after ${this.story.join(", ")}`)
    }
  })

  readonly run = Effect.fnUntraced(function*(this: Life) {
    const faulty = yield* FaultyDisk
    faulty.resize(capacity)
    this.running = yield* start(0, this.maxBytesPerFile)
    // The messages wait in the topic, which has no channel or is paused.
    if (this.pick(2) === 0) yield* this.publish(1000)
    else yield* this.inBroker(paused(true))
    for (const name of this.channels) yield* this.inBroker(channelOf("t", name))
    for (let left = 30 + this.pick(40); left > 0; left--) {
      yield* this.step()
      yield* this.check()
    }
    while (this.members.length > 0) yield* this.leave(0)
    if (this.pick(3) > 0) faulty.resize(0)
    yield* this.inBroker(paused(false))
    for (const channel of this.channels) yield* this.joinTo(channel, 50)
    const isComplete = () => Array.from(this.finished.values()).every(({ size }) => size === this.published)
    for (let looks = 0; looks < 1500 && !isComplete(); looks++) {
      for (const member of this.members) this.finish(member, 1000)
      yield* TestClock.adjust("30 millis")
    }
    for (const [name, finished] of this.finished) {
      const missing = range(0, this.published).filter((number) => !finished.has(number))
      assert.deepStrictEqual(missing, [], `missing at ${name} after ${this.story.join(", ")}`)
      const repeated = Array.from(finished).filter(([, times]) => times > 1)
      if (!this.mayRepeat) assert.deepStrictEqual(repeated, [], `repeated at ${name} after ${this.story.join(", ")}`)
    }
    yield* this.check()
    yield* this.running.stop
  }, Effect.scoped)
}

describe("a broker whose disk is full repeatedly", () => {
  it.effect.each(range(0, 60))(
    "every accepted message comes to every channel, whatever happens in between: %i",
    (seed) => Effect.provide(new Life(seed).run(), layer)
  )
})
