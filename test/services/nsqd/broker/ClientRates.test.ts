/** The limit of publishes of single clients. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import { joinBodies } from "../../../../src/services/nsqd/broker/Bodies.ts"
import { ClientRates, type Publish } from "../../../../src/services/nsqd/broker/ClientRates.ts"

const topic = TopicName.make("t")

/** Rates for a topic that does not exist, and a clock that the test sets. */
const make = (rate: number, most?: number) => {
  let now = 5000
  let published = 0
  const rates = new ClientRates(
    {
      limitsClients: () => true,
      inForce: () => ({ client_publish_rate: { value: rate, match: "t", source: "api" } })
    },
    () => undefined,
    { monotonicMillis: () => now },
    most
  )
  const publish: Publish = (_, { count }) => {
    published += count
    return undefined
  }
  return {
    rates,
    published: () => published,
    pass: (millis: number) => {
      now += millis
    },
    /** Publishes messages as one unit; whether they are accepted. */
    send: (address: string, count = 1): boolean =>
      rates.publish(
        publish,
        address,
        topic,
        joinBodies(Array.from({ length: count }, () => Buffer.from("x"))),
        0
      ) === undefined,
    /** Publishes PUBs that arrive together; how many are accepted, and the error. */
    pubs: (address: string, count: number) => {
      const bytes = Buffer.alloc(count * 6)
      for (let i = 0; i < count; i++) bytes.writeInt32BE(1, i * 6)
      const rest = rates.publish(publish, address, topic, { bytes, start: 0, gap: 1, count, bodyBytes: count }, 0)
      if (rest === undefined) return Effect.succeed([count, ""] as const)
      return Effect.map(
        Effect.flip(rest),
        (error) => error._tag === "BrokerError" ? [error.accepted, error.message] as const : [0, error._tag] as const
      )
    }
  }
}

describe("client_publish_rate", () => {
  it("limits each address by itself", () => {
    const { pass, send } = make(2)
    assert.deepStrictEqual(["a", "a", "a", "b", "b", "b"].map((address) => send(address)), [
      true,
      true,
      false,
      true,
      true,
      false
    ])
    pass(500)
    assert.deepStrictEqual([send("a"), send("a")], [true, false])
  })

  it.effect("accepts as many of the PUBs that arrive together as the rate permits", () =>
    Effect.gen(function*() {
      const { published, pubs } = make(3)
      assert.deepStrictEqual(yield* pubs("a", 5), [
        3,
        "topic t takes 3 messages per second of each client (client_publish_rate)"
      ])
      assert.strictEqual(published(), 3)
      assert.strictEqual((yield* pubs("a", 1))[0], 0)
    }))

  it("accepts an MPUB that is larger than a second's when there is enough, and delays later ones", () => {
    const { pass, published, send } = make(10)
    assert.isTrue(send("a", 25))
    assert.isFalse(send("a"))
    pass(1000)
    assert.isFalse(send("a"))
    pass(600)
    assert.isTrue(send("a"))
    assert.strictEqual(published(), 26)
  })

  it("forgets clients that have been idle, and not those that have published", () => {
    const { pass, rates, send } = make(2)
    for (let i = 0; i < 100; i++) send(`idle ${i}`)
    send("busy")
    send("busy")
    assert.strictEqual(rates.size, 101)
    pass(600)
    send("busy")
    pass(600)
    for (let i = 0; i < 50; i++) send(`new ${i}`)
    assert.strictEqual(rates.size, 51)
    assert.deepStrictEqual([send("busy"), send("busy")], [true, false])
  })

  it("remembers a bounded number of clients", () => {
    const { rates, send } = make(1, 10)
    for (let i = 0; i < 1000; i++) send(`client ${i}`)
    assert.strictEqual(rates.size, 10)
    assert.deepStrictEqual([send("client 999"), send("client 0")], [false, true])
  })
})
