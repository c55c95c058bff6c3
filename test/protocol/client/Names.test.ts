import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isEphemeral, isValidName, TopicName } from "../../../src/protocol/client/Names.ts"

const isTopicName = Schema.is(TopicName)

describe("names", () => {
  it.prop("the check of names and their Schema agree", [Schema.String, TopicName], ([text, name]) => {
    assert.strictEqual(isValidName(text), isTopicName(text))
    assert.isTrue(isValidName(name))
  })

  it.prop(
    "the check of damaged names and their Schema agree",
    [TopicName, Schema.Int, Schema.String],
    ([name, position, inserted]) => {
      const at = Math.abs(position) % (name.length + 1)
      for (const damaged of [name.slice(0, at) + inserted + name.slice(at), name.slice(0, at), name + name]) {
        assert.strictEqual(isValidName(damaged), isTopicName(damaged))
      }
    }
  )

  for (const name of ["a", "A.b-c_9", "x".repeat(64), "t#ephemeral", `${"x".repeat(54)}#ephemeral`]) {
    it(`the name ${name} is valid`, () => assert.isTrue(isValidName(name)))
  }
  for (
    const name of [
      "",
      "x".repeat(65),
      "#ephemeral",
      "t#other",
      "a b",
      "ä",
      "t\n",
      "t#ephemeral2",
      `${"x".repeat(55)}#ephemeral`
    ]
  ) {
    it(`the name ${JSON.stringify(name)} is not valid`, () => assert.isFalse(isValidName(name)))
  }

  it("names with the suffix #ephemeral are ephemeral", () => {
    assert.isTrue(isEphemeral("t#ephemeral"))
    assert.isFalse(isEphemeral("t"))
  })
})
