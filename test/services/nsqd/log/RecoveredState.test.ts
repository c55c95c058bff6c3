import { assert, describe, it } from "@effect/vitest"
import { RecoveredState } from "../../../../src/services/nsqd/log/RecoveredState.ts"
import { Chance } from "./LogModel.ts"

const contentOf = (state: RecoveredState) =>
  state.channels.map(({ attempts, deferred, finished, name }) => {
    const dues: Array<readonly [number, number, number]> = []
    deferred.forEach((sequence, due, next) => void dues.push([sequence, due, next]))
    return { name, floor: finished.floor, attempts: new Map(attempts), deferred: dues.sort(([a], [b]) => a - b) }
  })

describe("the state of channels that is made from changes", () => {
  it("the last change of each message counts, also after hundreds of thousands of changes", () => {
    const chance = new Chance(1)
    const state = new RecoveredState()
    state.created(1, "a", 1)
    const messages = 1000
    const expected = new Map<number, readonly [due: number, attempts: number] | undefined>()
    for (let change = 0; change < 350_000; change++) {
      const sequence = 1 + chance.below(messages)
      const attempts = 1 + chance.below(60_000)
      if (expected.has(sequence) && expected.get(sequence) === undefined) continue
      if (change > 200_000 && chance.happens(1)) {
        state.finished(1, sequence, sequence + 1)
        expected.set(sequence, undefined)
      } else if (chance.happens(50)) {
        state.returned(1, sequence, attempts)
        expected.set(sequence, [0, attempts])
      } else {
        state.deferred(1, sequence, change + 1, attempts)
        expected.set(sequence, [change + 1, attempts])
      }
    }
    const left = [...expected].flatMap(([sequence, change]) =>
      change === undefined ? [] : [[sequence, ...change] as const]
    )
    const [channel] = contentOf(state)
    assert.deepStrictEqual(
      channel?.deferred,
      left.filter(([, due]) => due > 0).sort(([a], [b]) => a - b)
    )
    assert.deepStrictEqual(
      [...channel?.attempts ?? []].sort(([a], [b]) => a - b),
      left.filter(([, due]) => due === 0).map(([sequence, , attempts]) => [sequence, attempts]).sort((
        [a = 0],
        [b = 0]
      ) => a - b)
    )
    assert.strictEqual(state.end, messages + 1)
  })

  it("a checkpoint that repeats what is known changes nothing", () => {
    const changes = (state: RecoveredState): void => {
      state.created(1, "a", 5)
      state.deferred(1, 9, 1000, 2)
      state.returned(1, 7, 3)
      state.issued(4, 2)
      state.lost(20, 22)
    }
    const once = new RecoveredState()
    changes(once)
    const twice = new RecoveredState()
    changes(twice)
    twice.finished(1, 5, 6)
    twice.issued(5, 0)
    changes(twice)
    assert.deepStrictEqual(contentOf(twice), contentOf(once).map((channel) => ({ ...channel, floor: 6 })))
    assert.deepStrictEqual([twice.end, twice.lastIssued], [22, { unit: 5, sequence: 0 }])
  })
})
