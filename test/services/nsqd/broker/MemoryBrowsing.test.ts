import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Time from "../../../../src/services/core/Time.ts"
import { type Turns, unlimited } from "../../../../src/services/core/Turns.ts"
import { containing, everywhere } from "../../../../src/services/nsqd/broker/BodySearch.ts"
import * as BrowseCursor from "../../../../src/services/nsqd/broker/BrowseCursor.ts"
import type { PageQuery } from "../../../../src/services/nsqd/broker/Browsing.ts"
import { browseMemory } from "../../../../src/services/nsqd/broker/MemoryBrowsing.ts"
import { FaultyStorage, until } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, faultyBroker, join, numbers, send } from "./testing.ts"

const query: PageQuery = {
  states: undefined,
  limit: 10,
  filter: { search: containing(Buffer.from("none")), matches: (body) => body.includes("none") },
  bodyBytes: 100,
  // No search ends because the machine is busy.
  budget: 3_600_000
}

/** The channel `t/c` with this many messages. */
const channelWith = Effect.fnUntraced(function*(count: number) {
  const channel = yield* channelOf("t", "c")
  yield* send("t", ...numbers(count))
  return channel
})

/** Turns that are over each time that work looks, and how often it has waited for the next. */
const shortTurns = () => {
  let waits = 0
  const turns: Turns = { isOver: () => true, next: Effect.sync(() => void waits++) }
  return { turns, waits: () => waits }
}

describe("browsing a channel in memory", () => {
  for (const [memQueueSize, place] of [[100_000, "memory"], [0, "a disk queue"]] as const) {
    it.live(`a search among many messages in ${place} takes turns with other work`, () =>
      Effect.gen(function*() {
        const channel = yield* channelWith(20_000)
        yield* until(() => channel.depth === 20_000)
        const { turns, waits } = shortTurns()
        const page = yield* browseMemory([channel.contents!], query, undefined, yield* Time.make, turns)
        assert.deepStrictEqual(page, { messages: [], next: undefined, scanned: 20_000 })
        assert.isAbove(waits(), memQueueSize > 0 ? 100 : 1)
      }).pipe(Effect.provide(brokerWith({ memQueueSize }))))
  }

  it.live("a search among many messages in flight takes turns with other work", () =>
    Effect.gen(function*() {
      const { channel } = yield* join("t", "c", 20_000)
      yield* send("t", ...numbers(20_000))
      yield* until(() => channel.inFlightCount === 20_000)
      const { turns, waits } = shortTurns()
      const states = new Set(["in_flight"] as const)
      const time = yield* Time.make
      const page = yield* browseMemory([channel.contents!], { ...query, states }, undefined, time, turns)
      assert.deepStrictEqual(page, { messages: [], next: undefined, scanned: 20_000 })
      // The search for messages waits about 80 times in what it has found, and 40 times each time that it looks at all of them.
      assert.isAbove(waits(), 200)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 100_000 }))))

  it.live("a page whose time is over goes on where it ended", () =>
    Effect.gen(function*() {
      const channel = yield* channelWith(300)
      yield* until(() => channel.depth === 300)
      // Each look at the clock takes a millisecond.
      let now = 0
      const time: Time.Time = { monotonicMillis: () => now++, wallNanos: () => 0n }
      const isSeventh = (body: Buffer) => Number(body.toString().slice(1)) % 7 === 0
      const slow = { ...query, filter: { search: everywhere, matches: isSeventh }, budget: 3 }
      const found: Array<string> = []
      let from: BrowseCursor.BrowseCursor | undefined
      for (let pages = 1;; pages++) {
        const page = yield* browseMemory([channel.contents!], slow, from, time, unlimited)
        found.push(...page.messages.map(({ body }) => body.toString()))
        if (page.next === undefined) {
          assert.isAbove(pages, 50)
          break
        }
        from = BrowseCursor.decode(page.next)
      }
      assert.deepStrictEqual(found, numbers(300).filter((_, i) => i % 7 === 0))
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 1000 }))))

  it.live("a disk that cannot be read fails the page, unless only messages in memory are wanted", () =>
    Effect.gen(function*() {
      const channel = yield* channelWith(5)
      yield* until(() => channel.backendDepth === 3)
      const faults = yield* FaultyStorage.StorageFaults
      yield* faults.failReads("broken")
      const time = yield* Time.make
      const failure = yield* Effect.flip(browseMemory([channel.contents!], query, undefined, time, unlimited))
      assert.include(failure.message, "broken")
      const inFlight = { ...query, states: new Set(["in_flight"] as const) }
      assert.deepStrictEqual(yield* browseMemory([channel.contents!], inFlight, undefined, time, unlimited), {
        messages: [],
        next: undefined,
        scanned: 0
      })
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 2 }))))
})
