import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as JsonElements from "../../../src/protocol/text/JsonElements.ts"

const found = (text: string): JsonElements.Elements | undefined => {
  const work = JsonElements.find(Buffer.from(text), "topics")
  let step = work.next()
  while (step.done !== true) step = work.next()
  return step.value
}

/** Parses the pieces of a text and joins them; `undefined` if the text has to be parsed as a whole. */
const together = (text: string): unknown => {
  const pieces = found(text)
  if (pieces === undefined) return undefined
  const bytes = Buffer.from(text)
  const topics = pieces.elements.map(({ end, start }): unknown => JSON.parse(bytes.toString("utf8", start, end)))
  return { ...JSON.parse(pieces.rest), topics }
}

/** Whether there are pieces and all of them are valid. */
const isValid = (text: string): boolean => {
  try {
    return together(text) !== undefined
  } catch {
    return false
  }
}

describe("JsonElements", () => {
  it.effect.prop(
    "the elements of the list and the rest have the same content as the whole text",
    { before: Schema.Json, topics: Schema.Array(Schema.Json), after: Schema.Json, space: Schema.Boolean },
    ({ after, before, space, topics }) =>
      Effect.sync(() => {
        const value = { before, topics, after: [after, { topics: [before] }] }
        const text = JSON.stringify(value, undefined, space ? " \t\r\n" : undefined)
        assert.deepStrictEqual(together(text), JSON.parse(text))
      })
  )

  it.effect.prop(
    "the pieces of a truncated or changed text are valid only if the whole text is valid",
    {
      topics: Schema.Array(Schema.Json),
      at: Schema.Int,
      character: Schema.Literals(["", ",", "]", "}", "{", "\"", "0"])
    },
    ({ at, character, topics }) =>
      Effect.sync(() => {
        const whole = JSON.stringify({ a: 1, topics, b: [] })
        const place = Math.abs(at) % (whole.length + 1)
        for (const changed of [whole.slice(0, place), whole.slice(0, place) + character + whole.slice(place)]) {
          // A change inside a surrogate pair is another one in UTF-8.
          const text = Buffer.from(changed).toString()
          if (isValid(text)) assert.deepStrictEqual(together(text), JSON.parse(text))
        }
      })
  )

  it("a text that has to be parsed as a whole has no pieces", () => {
    for (
      const text of [
        "",
        "null",
        "[1]",
        "{}",
        "{\"topics\":null}",
        "{\"a\":{\"topics\":[1]}}",
        "{\"topics\":[1],\"topics\":[2]}",
        "{\"topics\":[1],\"top\\u0069cs\":[2]}",
        "{\"topics\":[1]} x",
        "{\"topics\":[1 2]}",
        "{\"topics\":[1"
      ]
    ) {
      assert.isUndefined(found(text), text)
    }
  })
})
