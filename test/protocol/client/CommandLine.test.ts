import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { MessageIdParameter } from "../../../src/protocol/client/Command.ts"
import {
  deferParameter,
  messageCommand,
  rdyCommand,
  subCommand,
  topicParameter
} from "../../../src/protocol/client/CommandLine.ts"
import { formatMessageKey } from "../../../src/protocol/client/Message.ts"
import { ChannelName, isValidName, TopicName } from "../../../src/protocol/client/Names.ts"

const Delay = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))

describe("the parameters of a command line", () => {
  it.prop(
    "a topic parameter is accepted by the Schema of names, or is refused",
    [Schema.String, TopicName],
    ([text, name]) => {
      assert.strictEqual(topicParameter("PUB", ["PUB", name], 2), name)
      assert.strictEqual(typeof topicParameter("PUB", ["PUB", text], 2) === "string", isValidName(text))
    }
  )

  it.prop("the parameters of SUB are a topic and a channel", [TopicName, ChannelName], ([topic, channel]) => {
    assert.deepStrictEqual(subCommand(["SUB", topic, channel]), { _tag: "SUB", topic, channel })
  })

  it.prop("the parameter of RDY is a count within the limit", [Delay, Delay], ([count, max]) => {
    const command = rdyCommand(String(count), max)
    if (count <= max) assert.deepStrictEqual(command, { _tag: "RDY", count })
    else {
      assert.strictEqual(
        command._tag === "Malformed" ? command.error.message : "",
        `E_INVALID RDY count ${count} out of range 0-${max}`
      )
    }
  })

  it("the count of RDY is 1 by default, and wraps at 64 bits, as in NSQ", () => {
    assert.deepStrictEqual(rdyCommand(undefined, 2500), { _tag: "RDY", count: 1 })
    assert.deepStrictEqual(rdyCommand("18446744073709551617", 2500), { _tag: "RDY", count: 1 })
    const negative = rdyCommand("18446744073709551615", 2500)
    assert.strictEqual(
      negative._tag === "Malformed" ? negative.error.message : "",
      "E_INVALID RDY count -1 out of range 0-2500"
    )
  })

  it.prop("the 16 bytes of a message id are kept unchanged", [MessageIdParameter], ([id]) => {
    for (const name of ["FIN", "TOUCH", "REQ"] as const) {
      const command = messageCommand(name, [name, id, "0"])
      assert.strictEqual("a" in command ? formatMessageKey(command) : "", id)
    }
  })

  it.prop("the delay of DPUB is within the limit", [Delay, Delay], ([millis, max]) => {
    const delay = deferParameter("DPUB", String(millis), max)
    assert.isTrue(typeof delay === "number" ? delay >= 0 && delay <= max : delay.error.code === "E_INVALID")
    if (millis < 9_000_000_000_000) assert.strictEqual(typeof delay === "number", millis <= max)
  })
})
