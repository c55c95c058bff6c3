import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { formatMessageKey, messageKey } from "../../../../src/protocol/client/Message.ts"
import { InFlight } from "../../../../src/services/nsqd/broker/InFlight.ts"
import { batches, keyAt, positionsOf } from "./messages.ts"

const Which = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 99 })))
const Step = Schema.TaggedUnion({
  Add: { count: Schema.Literals([1, 3, 40]), timeout: Schema.Literals([5, 10, 20]) },
  Remove: { which: Which },
  Postpone: { which: Which, deadline: Which },
  TakeOldest: {}
})

describe("messages in flight", () => {
  it.effect.prop(
    "messages in flight are found by id and time out by deadline after any additions and removals",
    { steps: Arbitrary.array(Arbitrary.schema(Step), { maxLength: 80 }) },
    ({ steps }) =>
      Effect.sync(() => {
        const makeBatch = batches()
        const inFlight = new InFlight()
        let now = 0
        const expected = new Map<string, { deadline: number; readonly deliveredAt: number }>()
        const gone: Array<string> = []
        const at = (which: number) => Array.from(expected.keys())[which % expected.size]
        const forget = (id: string) => {
          expected.delete(id)
          gone.push(id)
        }
        const carryOut = Step.match({
          Add: ({ count, timeout }) => {
            const batch = makeBatch(Array.from({ length: count }, () => "x"))
            for (const position of positionsOf(batch)) {
              inFlight.add(batch, batch.frames, position, now, now + timeout)
              expected.set(formatMessageKey(keyAt(batch, position)), { deadline: now + timeout, deliveredAt: now })
            }
          },
          Remove: ({ which }) => {
            const id = at(which)
            if (id === undefined) return
            inFlight.remove(inFlight.find(messageKey(id)))
            forget(id)
          },
          Postpone: ({ deadline, which }) => {
            const id = at(which)
            if (id === undefined) return
            inFlight.postpone(inFlight.find(messageKey(id)), deadline)
            expected.get(id)!.deadline = deadline
          },
          TakeOldest: () => {
            const slot = inFlight.oldest
            if (slot < 0) return
            const id = formatMessageKey(keyAt(inFlight.batchAt(slot), inFlight.positionAt(slot)))
            assert.strictEqual(expected.get(id)?.deadline, inFlight.earliest)
            inFlight.remove(slot)
            forget(id)
          }
        })
        for (const step of steps) {
          now++
          carryOut(step)
          assert.strictEqual(inFlight.size, expected.size)
          const passed: Array<string> = []
          for (let slot = 0; slot >= 0;) {
            slot = inFlight.some(slot, 7, (batch, position) => passed.push(formatMessageKey(keyAt(batch, position))))
          }
          assert.sameMembers(passed, Array.from(expected.keys()))
          assert.strictEqual(inFlight.earliest, Math.min(Infinity, ...Array.from(expected.values(), (e) => e.deadline)))
          for (const [id, { deadline, deliveredAt }] of expected) {
            const slot = inFlight.find(messageKey(id))
            assert.isAtLeast(slot, 0, `${id} is not found`)
            assert.strictEqual(formatMessageKey(keyAt(inFlight.batchAt(slot), inFlight.positionAt(slot))), id)
            assert.strictEqual(inFlight.deadlineAt(slot), deadline)
            assert.strictEqual(inFlight.deliveredAtOf(slot), deliveredAt)
          }
          for (const id of gone) assert.strictEqual(inFlight.find(messageKey(id)), -1, `${id} is still found`)
        }
      }),
    { arbitrary: { runs: 50, size: 80 } }
  )

  it("messages that stay in flight while others come and go are passed exactly once, in steps", () => {
    const makeBatch = batches()
    const inFlight = new InFlight()
    const add = (count: number, deadline: number) => {
      const batch = makeBatch(Array.from({ length: count }, () => "x"))
      for (const position of positionsOf(batch)) inFlight.add(batch, batch.frames, position, 0, deadline)
      return positionsOf(batch).map((position) => formatMessageKey(keyAt(batch, position)))
    }
    const gone = add(100, 10)
    const stay = add(1000, 20)
    const passed: Array<string> = []
    for (let slot = 0, steps = 0; slot >= 0; steps++) {
      let inStep = 0
      slot = inFlight.some(slot, 16, (batch, position) => {
        inStep++
        passed.push(formatMessageKey(keyAt(batch, position)))
      })
      assert.isAtMost(inStep, 16)
      // Others leave, come, and get other deadlines: the table grows and the list by deadline changes.
      if (inFlight.earliest === 10) inFlight.remove(inFlight.oldest)
      if (steps < 60) add(40, 5 + steps)
      inFlight.postpone(inFlight.find(messageKey(stay[steps % 1000]!)), 30 - steps % 30)
    }
    const counts = new Map<string, number>()
    for (const id of passed) counts.set(id, (counts.get(id) ?? 0) + 1)
    for (const id of stay) assert.strictEqual(counts.get(id), 1)
    for (const id of gone) assert.isAtMost(counts.get(id) ?? 0, 1)
  })

  it("messages with the same deadline time out in the order of delivery", () => {
    const batch = batches()(["a", "b", "c"])
    const inFlight = new InFlight()
    const positions = positionsOf(batch)
    for (const position of positions) inFlight.add(batch, batch.frames, position, 0, 10)
    const order = positions.map(() => {
      const position = inFlight.positionAt(inFlight.oldest)
      inFlight.remove(inFlight.oldest)
      return position
    })
    assert.deepStrictEqual(order, positions)
    assert.strictEqual(inFlight.oldest, -1)
    assert.strictEqual(inFlight.earliest, Infinity)
  })

  it("messages are distinguished by every byte of their id", () => {
    const batch = batches()(["a"])
    const inFlight = new InFlight()
    inFlight.add(batch, batch.frames, 0, 0, 10)
    const key = keyAt(batch, 0)
    assert.strictEqual(inFlight.find({ ...key, a: key.a ^ 1 }), -1)
    assert.strictEqual(inFlight.find({ ...key, b: key.b ^ 1 }), -1)
    assert.strictEqual(inFlight.find({ ...key, c: key.c ^ 1 }), -1)
    assert.strictEqual(inFlight.find({ ...key, d: key.d ^ 1 }), -1)
    assert.strictEqual(inFlight.find(key), inFlight.oldest)
  })

  it("deadlines can be postponed in any order: 200,000 in reverse stay within the test's timeout", () => {
    const count = 200_000
    const batch = batches()(Array.from({ length: count }, () => "x"))
    const inFlight = new InFlight()
    const positions = positionsOf(batch)
    for (const [i, position] of positions.entries()) inFlight.add(batch, batch.frames, position, i, count + i)
    const slots = positions.map((position) => inFlight.find(keyAt(batch, position)))
    // As messages at their maximum time in flight: each deadline is before all previous ones.
    for (let i = count - 1; i >= 0; i--) inFlight.postpone(slots[i]!, 3 * count + i)
    for (let i = 0; i < count; i++) {
      assert.strictEqual(inFlight.oldest, slots[i])
      inFlight.remove(slots[i]!)
    }
  }, 240_000)
})
