import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { type Ledger, MessageBatch } from "../../../../src/protocol/client/MessageBatch.ts"
import { DeferredQueue } from "../../../../src/services/nsqd/broker/DeferredQueue.ts"
import { batches, bodiesIn } from "./messages.ts"

const Due = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 20 })))
const dues = Arbitrary.array(Arbitrary.schema(Due), { maxLength: 200 })

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const Change = Schema.TaggedUnion({
  Push: { count: between(1, 40), due: between(0, 3000) },
  Release: { count: between(1, 400) },
  Remove: { which: between(0, 1000) }
})

const bodyIn = (frames: Buffer, position: number): string =>
  bodiesIn(MessageBatch.ofFrames(frames.subarray(position, position + 4 + frames.readInt32BE(position)), 1))[0]!

const large = "x".repeat(2000)

/** The messages of a queue with these due times, in the expected order. */
const expectedOrder = (dues: ReadonlyArray<number>): ReadonlyArray<string> =>
  dues.map((due, i) => ({ due, i })).toSorted((a, b) => a.due - b.due || a.i - b.i).map(({ due, i }) =>
    `${i} due ${due}`
  )

/** Settles nothing. */
const ledger: Ledger = { settle: () => {} }

/** Every third message is large, and every fifth is on disk as well. */
const queueOf = (dues: ReadonlyArray<number>): DeferredQueue => {
  const makeBatch = batches()
  const queue = new DeferredQueue()
  dues.forEach((due, i) => {
    const batch = makeBatch([`${i % 3 === 0 ? large : ""}${i} due ${due}`])
    queue.push(i % 5 === 0 ? MessageBatch.ofFrames(batch.frames, 1, ledger) : batch, due)
  })
  return queue
}

const bodiesOf = (batch: MessageBatch): ReadonlyArray<string> => bodiesIn(batch).map((body) => body.replace(large, ""))

describe("the queue of deferred messages", () => {
  it.effect.prop(
    "deferred messages are released when due and not before, equal ones in the order of arrival",
    { dues },
    ({ dues }) =>
      Effect.sync(() => {
        const queue = queueOf(dues)
        const out: Array<string> = []
        for (let now = 0; now <= 20; now++) {
          queue.release(now, Infinity, () => 3, (batch) => {
            assert.isAtMost(batch.count, 3)
            for (const body of bodiesOf(batch)) {
              assert.isTrue(body.endsWith(` due ${now}`), `${body} came at ${now}`)
              out.push(body)
            }
          })
          assert.isAbove(queue.earliest, now)
        }
        assert.deepStrictEqual(out, expectedOrder(dues))
        assert.strictEqual(queue.count, 0)
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )

  it.effect.prop(
    "emptying the deferred queue returns all messages by due time",
    { dues },
    ({ dues }) =>
      Effect.sync(() => {
        const queue = queueOf(dues)
        assert.strictEqual(queue.count, dues.length)
        assert.strictEqual(queue.earliest, Math.min(Infinity, ...dues))
        assert.deepStrictEqual(queue.takeAll().flatMap(bodiesOf), expectedOrder(dues))
        assert.strictEqual(queue.count, 0)
        assert.strictEqual(queue.earliest, Infinity)
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )

  it.effect.prop(
    "single messages are looked at with their due times and removed, and the others keep their order",
    { dues, removed: Arbitrary.array(Arbitrary.schema(Schema.Boolean), { maxLength: 200 }) },
    ({ dues, removed }) =>
      Effect.sync(() => {
        const queue = queueOf(dues)
        const entries = new Map<string, number>()
        const look = queue.eachDeferred((frames, position, due, entry) => {
          const batch = MessageBatch.ofFrames(
            frames.subarray(position, position + 4 + frames.readInt32BE(position)),
            1
          )
          const [body = ""] = bodiesOf(batch)
          assert.isTrue(body.endsWith(` due ${due}`), `${body} is due at ${due}`)
          entries.set(body, entry)
        })
        while (look.next().done !== true);
        const order = expectedOrder(dues)
        assert.sameMembers(Array.from(entries.keys()), [...order])
        const left = order.filter((body, i) => {
          if (removed[i] !== true) return true
          const batch = queue.remove(entries.get(body)!)
          assert.strictEqual(batch && bodiesOf(batch).join(), body)
          assert.isUndefined(queue.remove(entries.get(body)!))
          return false
        })
        assert.strictEqual(queue.count, left.length)
        assert.deepStrictEqual(queue.takeAll().flatMap(bodiesOf).join(), left.join())
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )

  it.effect.prop(
    "messages that stay while others come and go are all looked at, in steps",
    { steps: Arbitrary.array(Arbitrary.schema(Change), { maxLength: 60 }), first: Arbitrary.schema(Schema.Boolean) },
    ({ first, steps }) =>
      Effect.sync(() => {
        const makeBatch = batches()
        const dueAt = (i: number): number => 1 + i * 7919 % 2003
        const queue = new DeferredQueue()
        // Those that come later are due first, or last, and move the others.
        for (let i = 0; i < 1500; i++) queue.push(makeBatch([`${i}`]), first ? 3000 - dueAt(i) : dueAt(i))
        const entries = new Map<string, number>()
        let inStep = 0
        const look = queue.eachDeferred((frames, position, _, entry) => {
          entries.set(bodyIn(frames, position), entry)
          inStep++
        })
        const goOn = (): boolean => {
          inStep = 0
          const { done } = look.next()
          assert.isAtMost(inStep, 512)
          return done !== true
        }
        let made = 1500
        const gone = new Set<string>()
        const change = Change.match({
          Push: ({ count, due }) => {
            for (let i = 0; i < count; i++) queue.push(makeBatch([`${made++}`]), due)
          },
          Release: ({ count }) => {
            queue.release(3000, count, () => 7, (batch) => bodiesIn(batch).forEach((body) => gone.add(body)))
          },
          Remove: ({ which }) => {
            const [body, entry] = Array.from(entries)[which % Math.max(1, entries.size)] ?? []
            if (body === undefined || entry === undefined || queue.remove(entry) === undefined) return
            gone.add(body)
          }
        })
        goOn()
        for (const step of steps) {
          change(step)
          goOn()
        }
        while (goOn());
        for (let i = 0; i < 1500; i++) {
          if (!gone.has(`${i}`)) assert.isTrue(entries.has(`${i}`), `${i} was not looked at`)
        }
      }),
    { arbitrary: { runs: 60 } }
  )

  it("nothing is copied to look at the messages", () => {
    const queue = new DeferredQueue()
    const makeBatch = batches()
    for (let i = 0; i < 200_000; i++) queue.push(makeBatch(["x"]), i)
    const before = process.memoryUsage().arrayBuffers
    let seen = 0
    const look = queue.eachDeferred(() => void seen++)
    look.next()
    // 24 bytes for each message would be 5 MB.
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 1_000_000)
    while (look.next().done !== true);
    assert.strictEqual(seen, 200_000)
  })

  it("messages that leave while the others are looked at are passed over", () => {
    const queue = queueOf(Array.from({ length: 1500 }, () => 1))
    let seen = 0
    const look = queue.eachDeferred(() => void seen++)
    look.next()
    assert.isAbove(seen, 0)
    queue.takeAll()
    const before = seen
    while (look.next().done !== true);
    assert.strictEqual(seen, before)
  })

  it("dropping the deferred queue returns the messages that have to be settled", () => {
    const queue = queueOf([3, 2, 1, 3, 2, 1, 3])
    const dropped = queue.drop().filter(({ isOnDisk }) => isOnDisk)
    assert.deepStrictEqual(dropped.flatMap(bodiesOf), ["0 due 3", "5 due 1"])
    assert.strictEqual(queue.count, 0)
    queue.push(batches()(["again"]), 1)
    assert.deepStrictEqual(queue.takeAll().flatMap(bodiesIn), ["again"])
  })

  it("small messages that are due together are released as one batch", () => {
    const makeBatch = batches()
    const queue = new DeferredQueue()
    for (let i = 0; i < 500; i++) queue.push(makeBatch([String(i).padStart(3, "0")]), 1)
    const counts: Array<number> = []
    assert.strictEqual(queue.release(1, 400, () => Infinity, ({ count }) => counts.push(count)), 400)
    assert.deepStrictEqual(counts, [400])
    assert.strictEqual(queue.release(1, 400, () => 0, ({ count }) => counts.push(count)), 100)
    assert.deepStrictEqual(counts.slice(1), Array<number>(100).fill(1))
  })
})
