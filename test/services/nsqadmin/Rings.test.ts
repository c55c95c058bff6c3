import { assert, describe, it } from "@effect/vitest"
import { ringLength, Rings } from "../../../src/services/nsqadmin/Rings.ts"

const taken = (rings: Rings): number => {
  const ring = rings.take()
  assert.isDefined(ring)
  return ring
}

/** Rates of messages that are finished twice as fast as they are received. */
const rates = (rate: number | null) => ({
  rate,
  finish_rate: rate === null ? null : rate * 2,
  requeue_rate: rate === null ? null : 0,
  timeout_rate: rate === null ? null : 0
})

describe("Rings", () => {
  it("a point keeps its last backlog and its mean rates", () => {
    const rings = new Rings(10)
    const ring = taken(rings)
    rings.write(ring, 5, rates(null))
    rings.turn(1)
    rings.write(ring, 6, rates(1))
    rings.write(ring, 7, rates(2))
    rings.write(ring, 8, rates(6))
    rings.turn(2)
    rings.write(ring, 1, rates(0.125))
    assert.deepStrictEqual(rings.read(ring, 5), {
      backlog: [null, 5, 8, null, 1],
      rate: [null, null, 3, null, 0.125],
      finish_rate: [null, null, 6, null, 0.25],
      requeue_rate: [null, null, 0, null, 0],
      timeout_rate: [null, null, 0, null, 0]
    })
  })

  it("requeues and timeouts are 0 until there are some, and 0 again in an emptied ring", () => {
    const rings = new Rings(10)
    const ring = taken(rings)
    rings.write(ring, 1, rates(1))
    rings.turn(1)
    rings.write(ring, 1, { ...rates(1), requeue_rate: 4, timeout_rate: 2 })
    rings.write(ring, 1, { ...rates(1), requeue_rate: 0, timeout_rate: 2 })
    assert.deepStrictEqual(rings.read(ring, 2).requeue_rate, [0, 2])
    assert.deepStrictEqual(rings.read(ring, 2).timeout_rate, [0, 2])
    rings.release(ring)
    assert.strictEqual(taken(rings), ring)
    rings.write(ring, 1, rates(1))
    assert.deepStrictEqual(rings.read(ring, 2).requeue_rate, [null, 0])
  })

  it("a point is dropped after a full turn, and all points after a long time", () => {
    const rings = new Rings(10)
    const ring = taken(rings)
    rings.write(ring, 1, rates(1))
    rings.turn(ringLength - 1)
    assert.strictEqual(rings.read(ring, ringLength).backlog[0], 1)
    rings.turn(1)
    assert.deepStrictEqual(new Set(rings.read(ring, ringLength).backlog), new Set([null]))
    rings.write(ring, 1, rates(1))
    rings.turn(ringLength * 1000)
    assert.deepStrictEqual(new Set(rings.read(ring, ringLength).rate), new Set([null]))
  })

  it("a released ring is empty when taken again, and the number of rings is limited", () => {
    const rings = new Rings(2)
    const [a] = [taken(rings), taken(rings)]
    rings.write(a, 3, rates(3))
    assert.isUndefined(rings.take())
    rings.release(a)
    assert.strictEqual(rings.size, 1)
    assert.strictEqual(taken(rings), a)
    assert.deepStrictEqual(rings.read(a, 1), {
      backlog: [null],
      rate: [null],
      finish_rate: [null],
      requeue_rate: [null],
      timeout_rate: [null]
    })
    assert.isUndefined(rings.take())
  })

  it("rings of several blocks keep separate values", () => {
    const rings = new Rings(2000)
    const all = Array.from({ length: 2000 }, () => taken(rings))
    all.forEach((ring, i) => rings.write(ring, i, rates(i)))
    rings.turn(1)
    all.forEach((ring, i) => rings.write(ring, i * 2, rates(null)))
    all.forEach((ring, i) =>
      assert.deepStrictEqual(rings.read(ring, 2), {
        backlog: [i, i * 2],
        rate: [i, null],
        finish_rate: [i * 2, null],
        requeue_rate: [0, null],
        timeout_rate: [0, null]
      })
    )
  })
})
