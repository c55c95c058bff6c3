/** How the browser of messages walks through a log: which bodies it looks at, and when other work has its turn. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { unlimited } from "../../../../src/services/core/Turns.ts"
import type { BodyFilter } from "../../../../src/services/nsqd/broker/BodyFilter.ts"
import { containing, everywhere } from "../../../../src/services/nsqd/broker/BodySearch.ts"
import { browse, type BrowseQuery } from "../../../../src/services/nsqd/broker/Browsing.ts"
import { makeTurns } from "../../core/turns.ts"
import { layer, open, type OpenLog, range } from "../log/logs.ts"

/** A clock that a test does not look at. */
const noTime = { monotonicMillis: () => 0, wallNanos: () => 0n }

const query = (filter: BodyFilter, more: Partial<BrowseQuery> = {}): BrowseQuery => ({
  channel: undefined,
  states: undefined,
  from: 1,
  limit: 1000,
  filter,
  bodyBytes: 100,
  budget: 1000,
  ...more
})

const numberOf = (body: Buffer): number => body.readInt32BE(0)

const numbersIn = ({ messages }: { readonly messages: ReadonlyArray<{ readonly body: Buffer }> }) =>
  messages.map(({ body }) => numberOf(body))

const multiplesOf = (divisor: number): BodyFilter => ({
  search: everywhere,
  matches: (body) => numberOf(body) % divisor === 0
})

/** A log with the numbers below `count` in a single record. */
const withRecord = Effect.fnUntraced(function*(count: number) {
  const log: OpenLog = yield* open()
  // Whose messages wait.
  yield* log.channel("a")
  yield* log.publish(range(0, count))
  return log.log
})

describe("browse", () => {
  it.effect("other work has its turn between the bodies of a record", () =>
    Effect.gen(function*() {
      const log = yield* withRecord(500)
      const { taken, turns } = makeTurns()
      assert.deepStrictEqual(numbersIn(yield* browse(log, query(multiplesOf(100)), noTime, turns)), [
        0,
        100,
        200,
        300,
        400
      ])
      assert.isAtLeast(taken(), 500)
    }).pipe(Effect.provide(layer)))

  it.effect("other work has its turn while messages in other states are passed over", () =>
    Effect.gen(function*() {
      const log = yield* withRecord(2000)
      const { taken, turns } = makeTurns()
      const states = new Set(["in_flight" as const])
      assert.deepStrictEqual(numbersIn(yield* browse(log, query(multiplesOf(1), { states }), noTime, turns)), [])
      assert.isAtLeast(taken(), 7)
    }).pipe(Effect.provide(layer)))

  it.effect("a page whose time is over within a record ends there, and the next page goes on behind", () =>
    Effect.gen(function*() {
      const log = yield* withRecord(100)
      let now = 0
      const time = { ...noTime, monotonicMillis: () => now++ }
      const found: Array<number> = []
      const starts: Array<number> = []
      let next: number | undefined = 1
      let scanned = 0
      while (next !== undefined) {
        starts.push(next)
        const page: Effect.Success<ReturnType<typeof browse>> = yield* browse(
          log,
          query(multiplesOf(10), { from: next, budget: 20 }),
          time,
          unlimited
        )
        found.push(...numbersIn(page))
        scanned += page.scanned
        next = page.next
      }
      assert.deepStrictEqual(found, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
      assert.isAbove(starts.length, 3)
      assert.strictEqual(scanned, 100)
    }).pipe(Effect.provide(layer)))

  it.effect("only bodies in which the search finds something are looked at", () =>
    Effect.gen(function*() {
      const log = yield* withRecord(500)
      const looked: Array<number> = []
      const needle = Buffer.from([0, 0, 1, 44])
      const filter: BodyFilter = {
        search: containing(needle),
        matches: (body) => {
          looked.push(numberOf(body))
          return body.indexOf(needle) >= 0
        }
      }
      assert.deepStrictEqual(numbersIn(yield* browse(log, query(filter), noTime, unlimited)), [300])
      assert.isBelow(looked.length, 10)
      assert.deepStrictEqual(numbersIn(yield* browse(log, query(filter, { from: 302 }), noTime, unlimited)), [])
    }).pipe(Effect.provide(layer)))

  it.effect("a page that is full ends before the next wanted message", () =>
    Effect.gen(function*() {
      const log = yield* withRecord(100)
      const page = yield* browse(log, query(multiplesOf(10), { limit: 3 }), noTime, unlimited)
      assert.deepStrictEqual([numbersIn(page), page.next, page.scanned], [[0, 10, 20], 31, 30])
      const range = yield* browse(log, query(multiplesOf(10), { to: 31 }), noTime, unlimited)
      assert.deepStrictEqual([numbersIn(range), range.next, range.scanned], [[0, 10, 20], undefined, 30])
    }).pipe(Effect.provide(layer)))
})
