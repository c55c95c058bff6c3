import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { isTopicName } from "../../src/protocol/client/Names.ts"
import { Generators, ProtocolClient, TestBroker } from "../../src/testing/index.ts"
import { decodeAll } from "../protocol/client/commands.ts"
import { brokerWith } from "../services/nsqd/broker/testing.ts"

describe("Generators", () => {
  it.prop("the pieces of a sequence are its commands, however they are cut", [Generators.sequence()], ([sequence]) => {
    assert.isTrue(Buffer.concat(sequence.pieces).equals(sequence.bytes))
    assert.isTrue(sequence.pieces.every(({ length }) => length > 0))
  })

  it.prop("a damaged sequence is decoded without a crash", [Generators.damagedSequence()], ([{ bytes, pieces }]) => {
    assert.deepStrictEqual(decodeAll(pieces), decodeAll([bytes]))
  })

  it.effect.prop(
    "a broker acknowledges every publish of a sequence, in pieces of any size",
    { sent: Generators.sequence(Generators.publishes) },
    ({ sent: { commands, pieces } }) =>
      Effect.gen(function*() {
        assert.isTrue(commands.every((command) => "topic" in command && isTopicName(command.topic)))
        const client = yield* ProtocolClient.connect(TestBroker.address)
        for (const piece of pieces) yield* client.raw(piece)
        yield* client.raw("CLS\n")
        for (const _ of commands) {
          const reply = yield* client.text
          assert.isTrue(reply === "OK" || reply?.startsWith("E_INVALID DPUB timeout") === true, reply)
          if (reply !== "OK") return
        }
      }).pipe(Effect.scoped, Effect.provide(brokerWith())),
    { arbitrary: { runs: 40 } }
  )
})
