import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { DeferredList } from "../../../../src/services/nsqd/log/DeferredList.ts"
import { DeferredTable } from "../../../../src/services/nsqd/log/DeferredTable.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
/** Due times of few values, so that many are equal; `undefined` removes the earliest message. */
const Step = Schema.UndefinedOr(between(0, 20))

interface Deferred {
  readonly sequence: number
  readonly due: number
  readonly attempts: number
}

const byDue = (one: Deferred, other: Deferred): number => one.due - other.due || one.sequence - other.sequence

describe("the deferred messages of a durable channel", () => {
  it.prop(
    "messages leave by due time, and those of the same time in the order of publishing",
    [Schema.Array(Step)],
    ([steps]) => {
      const table = new DeferredTable()
      const model: Array<Deferred> = []
      steps.forEach((due, at) => {
        if (due !== undefined) {
          // Requeued messages come back in any order.
          const deferred = { sequence: at * 7919 % 1009, due, attempts: at % 65_536 }
          model.push(deferred)
          table.push(deferred.sequence, due, deferred.attempts)
          return
        }
        const expected = model.sort(byDue).shift()
        if (expected === undefined) return
        assert.deepStrictEqual([table.earliest, table.earliestAttempts], [expected.due, expected.attempts])
        assert.strictEqual(table.pop(), expected.sequence)
      })
      const left: Array<Deferred> = []
      table.forEach((sequence, due, attempts) => void left.push({ sequence, due, attempts }))
      assert.deepStrictEqual(left.sort(byDue), model.sort(byDue))
      assert.strictEqual(table.count, model.length)
    }
  )

  it.prop(
    "walks in steps visit all messages that stay, also those that other messages move",
    [between(0, 100), Schema.Array(Step), between(1, 7)],
    ([before, steps, most]) => {
      const table = new DeferredTable()
      const due = (at: number): number => at * 7919 % 101
      for (let at = 0; at < before; at++) table.push(at, due(at), 1)
      const visited = new Map<number, number>()
      const visit = (sequence: number, due: number): void => void visited.set(sequence, due)
      const walk = table.walk(most, visit)
      walk.next()
      // One that begins at another time, and one that is given up.
      const later = new Map<number, number>()
      let laterWalk: Generator<void, void> | undefined
      const givenUp = table.walk(most, () => {})
      givenUp.next()
      givenUp.return()
      const isNew = new Set<number>()
      for (const [at, step] of steps.entries()) {
        if (step === undefined && table.count > 0) table.pop()
        else if (step === 0) table.removeWhere((sequence) => sequence % 10 === 7)
        else {
          isNew.add(before + at)
          table.push(before + at, due(at) + (step ?? 0), 1)
        }
        if (at % 3 === 0) walk.next()
        if (at === 5) laterWalk = table.walk(2, (sequence, due) => void later.set(sequence, due))
        if (at >= 5 && at % 2 === 0) laterWalk?.next()
      }
      while (walk.next().done !== true);
      if (laterWalk !== undefined) { while (laterWalk.next().done !== true); }
      table.forEach((sequence, due) => {
        if (!isNew.has(sequence)) assert.strictEqual(visited.get(sequence), due, String(sequence))
        if (laterWalk !== undefined && sequence <= before + 5) {
          assert.strictEqual(later.get(sequence), due, String(sequence))
        }
      })
      // Nothing is passed after the walks.
      visited.clear()
      table.push(1_000_000, 0, 1)
      assert.strictEqual(visited.size, 0)
    }
  )

  it.prop(
    "a message that is taken in steps leaves with its attempts, and all others stay in their order",
    [between(1, 60), between(0, 60), Schema.Array(Step), between(1, 7)],
    ([before, wanted, steps, most]) => {
      const table = new DeferredTable()
      let model: Array<Deferred> = []
      const add = (sequence: number, due: number): void => {
        const deferred = { sequence, due, attempts: 1 + sequence % 50 }
        model.push(deferred)
        table.push(sequence, due, deferred.attempts)
      }
      const remove = (sequence: number): void => {
        model = model.filter((one) => one.sequence !== sequence)
      }
      for (let at = 0; at < before; at++) add(at, at * 7919 % 23)
      const search = table.take(wanted, most)
      // Walks have to visit what stays, although the search removes a message.
      const visited = new Set<number>()
      const walk = table.walk(most, (sequence) => void visited.add(sequence))
      let isOver = false
      /** Looks on; returns whether the search is over. */
      const look = (): boolean => {
        if (isOver) return true
        const step = search.next()
        if (step.done !== true) return false
        isOver = true
        const expected = model.find(({ sequence }) => sequence === wanted)
        assert.strictEqual(step.value, expected?.attempts ?? 0)
        remove(wanted)
        return true
      }
      for (const [at, due] of steps.entries()) {
        if (due === undefined && table.count > 0) remove(table.pop())
        else add(before + 100 + at, due ?? 0)
        if (at % 2 === 0) look()
        if (at % 3 === 0) walk.next()
      }
      while (!look());
      while (walk.next().done !== true);
      for (const { sequence } of model) if (sequence < before) assert.isTrue(visited.has(sequence), String(sequence))
      for (const { sequence } of model.sort(byDue)) assert.strictEqual(table.pop(), sequence)
      assert.strictEqual(table.count, 0)
    }
  )

  it("a table of a list has its messages by due time", () => {
    const list = new DeferredList()
    const count = 100_000
    for (let at = 0; at < count; at++) list.add(at, (at * 7919) % count, at % 1000)
    const table = new DeferredTable(list)
    for (let due = 0; due < count; due++) {
      assert.strictEqual(table.earliest, due)
      const { earliestAttempts } = table
      assert.strictEqual(earliestAttempts, table.pop() % 1000)
    }
    assert.strictEqual(table.count, 0)
  })

  it("a table that grew and shrank keeps the attempts and due times of all messages", () => {
    const table = new DeferredTable()
    const count = 90_000
    for (let at = 0; at < count; at++) table.push(at, (at * 7919) % count, at % 100)
    for (let due = 0; due < count; due++) {
      assert.strictEqual(table.earliest, due)
      const { earliestAttempts } = table
      assert.strictEqual(earliestAttempts, table.pop() % 100)
    }
    assert.deepStrictEqual([table.count, table.earliest], [0, Infinity])
  })

  it("a table that is cleared is empty and can be used again", () => {
    const table = new DeferredTable()
    for (let at = 0; at < 100; at++) table.push(at, at, 1)
    table.clear()
    assert.deepStrictEqual([table.count, table.earliest, table.earliestAttempts], [0, Infinity, 0])
    table.push(3, 9, 2)
    assert.deepStrictEqual([table.count, table.earliest, table.earliestAttempts, table.pop()], [1, 9, 2, 3])
  })
})
