import { assert, describe, it } from "@effect/vitest"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { RefusedRegistrations, type Register } from "../../../../src/services/nsqd/lookup/RefusedRegistrations.ts"

const register = (topic: string, channel?: string): Register => ({
  _tag: "REGISTER",
  topic: TopicName.make(topic),
  channel: channel === undefined ? undefined : ChannelName.make(channel)
})

const unregister = (topic: string, channel?: string) => ({ ...register(topic, channel), _tag: "UNREGISTER" as const })

/** The registrations that were refused at 0 and are still to be retried. */
const refusedOf = (refused: RefusedRegistrations) =>
  refused.due(60_000).map(({ channel, topic }) => channel === undefined ? topic : `${topic}/${channel}`)

const refusing = (...commands: ReadonlyArray<Register>): RefusedRegistrations => {
  const refused = new RefusedRegistrations()
  for (const command of commands) refused.add(command, 0)
  return refused
}

describe("refused registrations", () => {
  it("a refused registration is due after a minute, and after a minute more if it is refused again", () => {
    const refused = new RefusedRegistrations()
    assert.isTrue(refused.add(register("orders"), 1000))
    assert.deepStrictEqual(refused.due(60_999), [])
    assert.deepStrictEqual(refused.due(61_000), [register("orders")])
    assert.isFalse(refused.add(register("orders"), 61_000))
    assert.deepStrictEqual(refused.due(120_999), [])
    assert.deepStrictEqual(refused.due(121_000), [register("orders")])
  })

  it("a topic and each of its channels are refused separately", () => {
    const refused = refusing(register("orders"), register("orders", "billing"), register("orders", "archive"))
    refused.settle(register("orders"))
    assert.deepStrictEqual(refusedOf(refused), ["orders/billing", "orders/archive"])
    refused.settle(unregister("orders", "billing"))
    assert.deepStrictEqual(refusedOf(refused), ["orders/archive"])
    refused.settle({ _tag: "PING" })
    assert.deepStrictEqual(refusedOf(refused), ["orders/archive"])
  })

  it("a topic that no longer exists is not registered any more, nor are its channels", () => {
    const refused = refusing(register("orders"), register("orders", "billing"), register("payments", "billing"))
    refused.settle(unregister("orders"))
    assert.deepStrictEqual(refusedOf(refused), ["payments/billing"])
  })

  it("after a reconnection, waiting registrations are left out and those that disappeared are forgotten", () => {
    const refused = refusing(register("orders"), register("payments"))
    const present = [register("clicks"), register("orders"), register("orders", "billing")]
    assert.deepStrictEqual(refused.withoutWaiting(present), [register("clicks"), register("orders", "billing")])
    assert.deepStrictEqual(refusedOf(refused), ["orders"])
    assert.isTrue(refused.add(register("payments"), 0))
  })
})
