import { assert, describe, it } from "@effect/vitest"
import { bodyOf } from "./bodies.ts"
import { laterMillis } from "./Deferrals.ts"
import { type Delivered, Ledger } from "./Ledger.ts"
import { flushWindowMillis, noiseMillis } from "./Lives.ts"

const window = flushWindowMillis + noiseMillis
const idOf = (number: number): string => number.toString(16).padStart(16, "0")

/** A ledger of one topic with two channels and its clock, which starts at 1000. */
const make = (durable = true) => {
  const clock = { now: 1000 }
  const ledger = new Ledger({
    topics: [{ name: "orders", channels: ["a", "b"] }, { name: "other", channels: ["a", "b"] }],
    durable,
    messageTimeoutMillis: 1500,
    now: () => clock.now
  })
  const deliver = (
    row: number,
    { attempts = 1, body = bodyOf(row, 50), channel = 0, id = idOf(row + 1), topic = 0 }: {
      readonly attempts?: number
      readonly body?: Buffer
      readonly channel?: number
      readonly id?: string
      readonly topic?: number
    } = {}
  ): Delivered => {
    const message = ledger.deliver({ topic, channel, life: ledger.lives.current }, { attempts, id, body })
    return message ?? { topic, channel, row, attempts, life: ledger.lives.current, at: clock.now }
  }
  const published = (delayMillis = 0): number => {
    const row = ledger.publish(0, delayMillis)
    ledger.acknowledge(row)
    return row
  }
  const kill = (): void => ledger.lives.end()
  return { clock, deliver, kill, ledger, published }
}

const finish = (ledger: Ledger, message: Delivered): void => {
  ledger.finish(message)
  ledger.confirm(message)
}

describe("the ledger of published and delivered messages", () => {
  it("a message that a channel has not finished is lost", () => {
    const { deliver, ledger, published } = make()
    const row = published()
    finish(ledger, deliver(row))
    assert.strictEqual(ledger.open, 1)
    assert.strictEqual(ledger.report().lost, 1)
    finish(ledger, deliver(row, { channel: 1 }))
    assert.strictEqual(ledger.open, 0)
    assert.strictEqual(ledger.report().lost, 0)
  })

  it("a message whose publish has no reply may be missing and may be delivered", () => {
    const { deliver, ledger } = make()
    const row = ledger.publish(0)
    finish(ledger, deliver(row))
    const report = ledger.report()
    assert.deepStrictEqual([report.lost, report.invented, report.uncertain], [0, 0, 1])
  })

  it("a message that was not published to its topic is invented", () => {
    const { deliver, ledger, published } = make()
    const row = published()
    deliver(row, { topic: 1 })
    deliver(row + 1)
    assert.deepStrictEqual([ledger.report().invented, ledger.report().corrupt], [2, 0])
  })

  it("a body with a changed, missing or additional byte is corrupt", () => {
    const { deliver, ledger, published } = make()
    const row = published()
    const changed = bodyOf(row, 50)
    changed[40] = (changed[40] ?? 0) ^ 1
    for (const body of [changed, bodyOf(row, 50).subarray(0, 49), Buffer.concat([bodyOf(row, 50), Buffer.of(0)])]) {
      deliver(row, { body })
    }
    assert.deepStrictEqual([ledger.report().corrupt, ledger.report().invented], [3, 0])
  })

  it("a message with a delay must not be delivered before it is due, also after a kill", () => {
    const { clock, deliver, kill, ledger, published } = make()
    const row = published(500)
    clock.now += 490
    deliver(row)
    assert.strictEqual(ledger.report().early, 1)
    kill()
    deliver(row, { channel: 1 })
    assert.strictEqual(ledger.report().early, 2)
    clock.now += 10
    deliver(row, { attempts: 2 })
    assert.strictEqual(ledger.report().early, 2)
  })

  it("a requeued message must not be delivered before it is due, if the daemon executed the REQ", () => {
    const { clock, deliver, ledger, published } = make()
    const row = published()
    const confirmed = ledger.requeue(deliver(row), 500)
    ledger.confirmRequeue(confirmed)
    clock.now += 100
    const again = deliver(row, { attempts: 2 })
    assert.strictEqual(ledger.report().early, 1)
    const refused = ledger.requeue(again, 500)
    ledger.refuseRequeue(again, refused)
    deliver(row, { attempts: 3 })
    assert.strictEqual(ledger.report().early, 1)
  })

  it("an early delivery counts when its REQ is confirmed afterwards", () => {
    const { deliver, ledger, published } = make()
    const row = published()
    const requeue = ledger.requeue(deliver(row), 500)
    deliver(row, { attempts: 2 })
    assert.strictEqual(ledger.report().early, 0)
    ledger.confirmRequeue(requeue)
    assert.strictEqual(ledger.report().early, 1)
  })

  it("a kill may undo a REQ within the flush window, and not an older one", () => {
    const { clock, deliver, kill, ledger, published } = make()
    const [older, recent] = [published(), published()]
    const requeue = ledger.requeue(deliver(older), 5000)
    ledger.confirmRequeue(requeue)
    clock.now += window
    ledger.confirmRequeue(ledger.requeue(deliver(recent), 5000))
    clock.now += 1
    kill()
    deliver(recent, { attempts: 2 })
    assert.strictEqual(ledger.report().early, 0)
    deliver(older, { attempts: 2 })
    assert.strictEqual(ledger.report().early, 1)
  })

  it("a finished message must not be redelivered after a kill, except within the flush window", () => {
    const { clock, deliver, kill, ledger, published } = make()
    const rows = [published(), published(), published(), published()] as const
    finish(ledger, deliver(rows[0]))
    clock.now += window - flushWindowMillis
    finish(ledger, deliver(rows[1]))
    clock.now += flushWindowMillis
    finish(ledger, deliver(rows[2]))
    ledger.finish(deliver(rows[3]))
    clock.now += 1
    kill()
    for (const row of rows) deliver(row, { attempts: 2 })
    const { duplicates, duplicatesWithinNoise, staleDuplicates, unconfirmed } = ledger.report()
    assert.deepStrictEqual({ duplicates, duplicatesWithinNoise, staleDuplicates, unconfirmed }, {
      duplicates: 3,
      duplicatesWithinNoise: 1,
      staleDuplicates: 1,
      unconfirmed: 1
    })
    // They are open again.
    assert.strictEqual(ledger.open, 8)
  })

  it("a slow commit before a kill extends the window", () => {
    const { clock, deliver, ledger, published } = make()
    const [older, recent] = [published(), published()]
    finish(ledger, deliver(older))
    clock.now += 1
    finish(ledger, deliver(recent))
    clock.now += flushWindowMillis + 300
    ledger.lives.end(300)
    for (const row of [older, recent]) deliver(row, { attempts: 2 })
    const { duplicatesWithinNoise, staleDuplicates } = ledger.report()
    assert.deepStrictEqual({ duplicatesWithinNoise, staleDuplicates }, { duplicatesWithinNoise: 1, staleDuplicates: 1 })
  })

  it("a duplicate in a stall of the disk that lasted until the kill is counted separately", () => {
    const { clock, deliver, ledger, published } = make()
    const [long, before, within, after] = [published(), published(), published(), published()]
    finish(ledger, deliver(long))
    clock.now += 1000
    finish(ledger, deliver(before))
    clock.now += flushWindowMillis
    const from = clock.now
    clock.now += window
    finish(ledger, deliver(within))
    clock.now += 1
    const stall = { from, to: clock.now }
    finish(ledger, deliver(after))
    clock.now += window
    ledger.lives.end(0, [stall])
    for (const row of [long, before, within, after]) deliver(row, { attempts: 2 })
    const { duplicatesInStalls, duplicatesWithinNoise, staleDuplicates } = ledger.report()
    assert.deepStrictEqual({ duplicatesInStalls, duplicatesWithinNoise, staleDuplicates }, {
      duplicatesInStalls: 2,
      duplicatesWithinNoise: 1,
      staleDuplicates: 1
    })
    assert.strictEqual(ledger.lives.endsInStalls, 1)
  })

  it("a stall that ended longer than the window before the kill, or was short, excuses nothing", () => {
    const { clock, deliver, ledger, published } = make()
    const [first, second] = [published(), published()]
    finish(ledger, deliver(first))
    const from = clock.now
    clock.now += flushWindowMillis + 1
    const stall = { from, to: clock.now }
    clock.now += window - 20
    finish(ledger, deliver(second))
    const short = { from: clock.now, to: clock.now + 30 }
    clock.now += window + 1
    ledger.lives.end(0, [stall, short])
    for (const row of [first, second]) deliver(row, { attempts: 2 })
    const { duplicatesInStalls, staleDuplicates } = ledger.report()
    assert.deepStrictEqual([duplicatesInStalls, staleDuplicates], [0, 2])
  })

  it("a finished message must not be redelivered by the same process", () => {
    const { deliver, ledger, published } = make()
    const row = published()
    finish(ledger, deliver(row))
    deliver(row, { attempts: 2 })
    assert.strictEqual(ledger.report().duplicatesWithoutRestart, 1)
  })

  it("a FIN that the daemon refused leaves the message open", () => {
    const { deliver, ledger, published } = make()
    const row = published()
    const message = deliver(row)
    ledger.finish(message)
    assert.strictEqual(ledger.open, 1)
    ledger.refuse(message)
    assert.strictEqual(ledger.open, 2)
  })

  it("attempts grow in one life and are kept over a kill, except within the flush window", () => {
    const { clock, deliver, kill, ledger, published } = make()
    const row = published()
    deliver(row, { attempts: 1 })
    deliver(row, { attempts: 2 })
    assert.strictEqual(ledger.report().lowerAttempts, 0)
    clock.now += 2001
    deliver(row, { attempts: 3 })
    kill()
    deliver(row, { attempts: 2 })
    assert.strictEqual(ledger.report().lowerAttempts, 0)
    deliver(row, { attempts: 2 })
    assert.strictEqual(ledger.report().lowerAttempts, 1)
    kill()
    deliver(row, { attempts: 1 })
    assert.strictEqual(ledger.report().lowerAttempts, 2)
  })

  it("ids are the same on all channels, unique, and larger than those that were acknowledged before", () => {
    const { deliver, kill, ledger, published } = make()
    const [first, second] = [published(), published()]
    deliver(first, { id: idOf(10) })
    deliver(second, { id: idOf(11) })
    kill()
    const [third, fourth] = [published(), published()]
    deliver(third, { id: idOf(5) })
    deliver(fourth, { id: idOf(11) })
    deliver(fourth, { channel: 1, id: idOf(12) })
    const { changedIds, decreasingIds, reusedIds } = ledger.report()
    assert.deepStrictEqual({ changedIds, decreasingIds, reusedIds }, { changedIds: 1, decreasingIds: 1, reusedIds: 1 })
  })

  it("concurrently published messages may have ids in any order", () => {
    const { deliver, ledger } = make()
    const [first, second] = [ledger.publish(0), ledger.publish(0)]
    ledger.acknowledge(second)
    ledger.acknowledge(first)
    deliver(first, { id: idOf(2) })
    deliver(second, { id: idOf(1) })
    assert.strictEqual(ledger.report().decreasingIds, 0)
  })

  it("messages that are due after the run are expected in the daemon until its clock is set ahead", () => {
    const { deliver, ledger, published } = make()
    const row = published(laterMillis)
    ledger.publish(0, laterMillis)
    const other = published()
    const message = deliver(other)
    ledger.requeue(message, laterMillis)
    assert.deepStrictEqual(ledger.laterOn(0, 0), { certain: 2, uncertain: 1 })
    assert.deepStrictEqual(ledger.laterOn(0, 1), { certain: 1, uncertain: 1 })
    assert.strictEqual(ledger.open, 1)
    ledger.setAhead(laterMillis)
    assert.strictEqual(ledger.open, 4)
    finish(ledger, deliver(row))
    const { deferredLost, early, lost } = ledger.report()
    assert.deepStrictEqual({ deferredLost, early, lost }, { deferredLost: 1, early: 0, lost: 2 })
  })

  it("a daemon without durable topics may forget delays and finished messages in a kill", () => {
    const { clock, deliver, kill, ledger, published } = make(false)
    const [deferred, requeued, finished] = [published(500), published(), published()]
    ledger.confirmRequeue(ledger.requeue(deliver(requeued), 5000))
    finish(ledger, deliver(finished))
    clock.now += 300
    kill()
    for (const row of [deferred, requeued, finished]) deliver(row, { attempts: 1 })
    const { early, lowerAttempts } = ledger.report()
    assert.deepStrictEqual({ early, lowerAttempts }, { early: 0, lowerAttempts: 0 })
  })
})
