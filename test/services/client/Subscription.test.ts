import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeMessage, MessageId } from "../../../src/protocol/client/Message.ts"
import { HeldList } from "../../../src/services/client/Held.ts"
import { Topic } from "../../../src/services/client/index.ts"
import { Member } from "../../../src/services/client/Member.ts"
import * as RequeueDelays from "../../../src/services/client/RequeueDelays.ts"
import { Subscription, type SubscriptionSettings } from "../../../src/services/client/Subscription.ts"
import { fakeConnection } from "./fakeConnection.ts"

const settings: SubscriptionSettings = {
  maxInFlight: 10,
  maxBackoffDuration: 8000,
  backoffMultiplier: 1000,
  lowReadyIdleTimeout: 10_000
}

const idOf = (number: number): MessageId => MessageId.make(String(number).padStart(16, "0"))

/** A message's frame data. */
const message = (number: number, attempts = 1): Buffer =>
  encodeMessage({ timestamp: 7n, attempts, id: idOf(number), body: Buffer.from(`body ${number}`) })

/** Wall clock at the start of the monotonic clock, in ms. */
const epoch = 1_700_000_000_000

/** A subscription on a clock that the test sets. The first candidate gets a turn. */
const program = (changed: Partial<SubscriptionSettings> = {}) => {
  const clock = { now: 0 }
  const time = { monotonicMillis: () => clock.now, wallNanos: () => BigInt(clock.now + epoch) * 1_000_000n }
  const delays = RequeueDelays.linear(1000, 2500)
  const subscription = new Subscription(Topic.bytes("t"), { ...settings, ...changed }, delays, time, () => 0)
  const join = (address: string, maxReady = 2500) => {
    const { connection, sent } = fakeConnection(address, { max_rdy_count: maxReady })
    const member = new Member(connection)
    subscription.add(member)
    /** The commands since the last call. */
    const commands = (): ReadonlyArray<string> => sent.splice(0).map((text) => text.trimEnd())
    const receive = (number: number, attempts = 1) => {
      const held = subscription.receive(member, message(number, attempts), false)
      if (held === undefined) throw new Error("the frame is a whole message")
      return held
    }
    return { member, commands, receive }
  }
  return { subscription, clock, join }
}

describe("the RDY counts of a consumer's connections", () => {
  it("connections share maxInFlight, and lower counts are sent before the new connection gets its own", () => {
    const { join } = program()
    const a = join("a")
    assert.deepStrictEqual(a.commands(), ["RDY 10"])
    const b = join("b")
    assert.deepStrictEqual([a.commands(), b.commands()], [["RDY 5"], ["RDY 5"]])
    const c = join("c")
    assert.deepStrictEqual([a.commands(), b.commands(), c.commands()], [["RDY 3"], ["RDY 3"], ["RDY 3"]])
  })

  it("a connection's count does not exceed the server's limit", () => {
    const { join } = program()
    assert.deepStrictEqual(join("a", 4).commands(), ["RDY 4"])
  })

  it("the share of a lost connection goes to the others, and nothing is sent to it", () => {
    const { join, subscription } = program()
    const [a, b] = [join("a"), join("b")]
    const held = b.receive(1)
    a.commands()
    b.commands()
    subscription.remove(b.member)
    assert.deepStrictEqual(a.commands(), ["RDY 10"])
    assert.strictEqual(subscription.inFlight, 0)
    held.finishNow()
    assert.strictEqual(subscription.inFlight, 0)
    assert.deepStrictEqual(b.commands(), [])
  })

  it("a connection without messages passes its turn when there are more connections than maxInFlight", () => {
    const { clock, join, subscription } = program({ maxInFlight: 1 })
    const [a, b] = [join("a"), join("b")]
    assert.deepStrictEqual([a.commands(), b.commands()], [["RDY 1"], []])
    clock.now = 10_000
    subscription.redistribute()
    assert.deepStrictEqual([a.commands(), b.commands()], [["RDY 0"], ["RDY 1"]])
  })

  it("a connection with a recent message, or with one in flight, keeps its turn", () => {
    const { clock, join, subscription } = program({ maxInFlight: 1 })
    const [a, b] = [join("a"), join("b")]
    clock.now = 9000
    a.receive(1).finishNow()
    subscription.endPass()
    a.commands()
    clock.now = 18_999
    subscription.redistribute()
    a.receive(2)
    clock.now = 60_000
    subscription.redistribute()
    assert.deepStrictEqual([a.commands(), b.commands()], [[], []])
  })

  it("a consumer that stops sends CLS and no RDY any more", () => {
    const { join, subscription } = program()
    const [a, b] = [join("a"), join("b")]
    a.commands()
    b.commands()
    subscription.stop()
    subscription.remove(b.member)
    subscription.redistribute()
    assert.deepStrictEqual([a.commands(), b.commands()], [["CLS"], ["CLS"]])
  })
})

describe("messages of a subscription", () => {
  it("a message has the fields of its frame and the address of its server", () => {
    const { join } = program()
    const { attempts, address, body, id, timestamp } = join("a").receive(3, 2)
    assert.deepStrictEqual({ attempts, address, body: Buffer.from(body).toString(), id, timestamp }, {
      attempts: 2,
      address: "a",
      body: "body 3",
      id: idOf(3),
      timestamp: 7n
    })
  })

  it("a frame that is too short for a message is not received", () => {
    const { join, subscription } = program()
    const { member } = join("a")
    assert.isUndefined(subscription.receive(member, message(1).subarray(0, 25), false))
    assert.strictEqual(subscription.inFlight, 0)
  })

  it.effect("only the first acknowledgement of a message counts", () =>
    Effect.gen(function*() {
      const { join, subscription } = program()
      const { commands, receive } = join("a")
      const held = receive(1)
      receive(2)
      commands()
      assert.strictEqual(subscription.inFlight, 2)
      yield* held.finish
      yield* held.finish
      yield* held.requeue()
      yield* held.touch
      assert.deepStrictEqual(commands(), [`FIN ${idOf(1)}`])
      assert.strictEqual(subscription.inFlight, 1)
    }))

  it.effect("a requeued message waits longer with each attempt, up to maxRequeueDelay, or as the program says", () =>
    Effect.gen(function*() {
      const { join } = program()
      const { commands, receive } = join("a")
      commands()
      for (const attempts of [1, 2, 3]) yield* receive(attempts, attempts).requeue({ backoff: false })
      yield* receive(4).requeue({ delay: "50 millis", backoff: false })
      assert.deepStrictEqual(commands(), [
        `REQ ${idOf(1)} 1000`,
        `REQ ${idOf(2)} 2000`,
        `REQ ${idOf(3)} 2500`,
        `REQ ${idOf(4)} 50`
      ])
    }))

  it.effect("a touch restarts the timeout of a message, and an acknowledged message is not held any more", () =>
    Effect.gen(function*() {
      const { clock, join, subscription } = program()
      const { commands, receive } = join("a")
      const [first, second] = [receive(1), receive(2)]
      subscription.endPass()
      commands()
      subscription.hold(first)
      subscription.hold(second)
      clock.now = 500
      yield* first.touch
      assert.deepStrictEqual(commands(), [`TOUCH ${idOf(1)}`])
      assert.deepStrictEqual([...subscription.held].map(({ id, since }) => [id, since]), [[idOf(1), 500], [idOf(2), 0]])
      yield* second.finish
      assert.deepStrictEqual([...subscription.held], [first])
    }))

  it.effect("an acknowledged message and a lost connection call the fiber that waits for the consumer's end", () =>
    Effect.gen(function*() {
      const { join, subscription } = program()
      const { member, receive } = join("a")
      receive(1).finishNow()
      yield* subscription.settled.wait
      subscription.remove(member)
      yield* subscription.settled.wait
    }))
})

describe("the backoff of a subscription", () => {
  it.effect("a failed message stops all connections, one message is tried after the wait, and a success ends the backoff", () =>
    Effect.gen(function*() {
      const { join, subscription } = program()
      const [a, b] = [join("a"), join("b")]
      const messages = [a.receive(1), a.receive(2), b.receive(3)]
      a.commands()
      b.commands()
      yield* messages[0]!.requeue()
      yield* subscription.backoffBegins.wait
      assert.deepStrictEqual([a.commands(), b.commands()], [[`REQ ${idOf(1)} 1000`, "RDY 0"], ["RDY 0"]])
      assert.deepStrictEqual([subscription.backoffLevel, subscription.backoffMillis], [1, 2000])
      // Results of messages from before the wait do not count.
      yield* messages[1]!.requeue()
      yield* messages[2]!.finish
      assert.strictEqual(subscription.backoffLevel, 1)
      a.commands()
      b.commands()
      subscription.tryAgain()
      assert.deepStrictEqual([a.commands(), b.commands()], [["RDY 1"], []])
      a.receive(4).finishNow()
      assert.strictEqual(subscription.backoffLevel, 0)
      assert.deepStrictEqual([a.commands(), b.commands()], [[`FIN ${idOf(4)}`, "RDY 5"], ["RDY 5"]])
    }))

  it.effect("a second failure waits twice as long, and a success then waits again at the level below", () =>
    Effect.gen(function*() {
      const { join, subscription } = program()
      const { receive } = join("a")
      yield* receive(1).requeue()
      subscription.tryAgain()
      yield* receive(2).requeue()
      assert.deepStrictEqual([subscription.backoffLevel, subscription.backoffMillis], [2, 4000])
      subscription.tryAgain()
      yield* receive(3).finish
      assert.deepStrictEqual([subscription.backoffLevel, subscription.backoffMillis], [1, 2000])
    }))

  it.effect("a requeue without backoff changes no RDY count", () =>
    Effect.gen(function*() {
      const { join, subscription } = program()
      const { commands, receive } = join("a")
      commands()
      yield* receive(1).requeue({ delay: 0, backoff: false })
      assert.deepStrictEqual(commands(), [`REQ ${idOf(1)} 0`])
      assert.strictEqual(subscription.backoffLevel, 0)
    }))
})

describe("HeldList", () => {
  it("the list may lose the current message while it is iterated", () => {
    const { join } = program()
    const { receive } = join("a")
    const list = new HeldList<Uint8Array>()
    const messages = [1, 2, 3].map((number) => receive(number))
    messages.forEach((held) => list.add(held))
    const seen: Array<string> = []
    for (const held of list) {
      seen.push(held.id)
      list.remove(held)
    }
    assert.deepStrictEqual(seen, [idOf(1), idOf(2), idOf(3)])
    assert.deepStrictEqual([...list], [])
  })

  it("a message in the middle, at the start and at the end can be removed", () => {
    const { join } = program()
    const { receive } = join("a")
    const messages = [1, 2, 3].map((number) => receive(number))
    for (const removed of messages) {
      const list = new HeldList<Uint8Array>()
      messages.forEach((held) => list.add(held))
      list.remove(removed)
      assert.deepStrictEqual([...list], messages.filter((held) => held !== removed))
    }
  })
})
