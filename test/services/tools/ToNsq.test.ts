import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { split } from "../../../src/services/tools/ToNsq.ts"
import { cut, CutLengths } from "../../protocol/client/commands.ts"

const pieces = (chunks: ReadonlyArray<Buffer>) =>
  Effect.map(Stream.runCollect(split(Stream.fromIterable(chunks), 10)), (found) => [...found].map(String))

describe("splitting input", () => {
  it.effect.prop(
    "the pieces without the empty ones are the same, however the input is cut",
    [Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z ]*$/))), CutLengths],
    ([lines, lengths]) =>
      Effect.gen(function*() {
        const input = Buffer.from(lines.join("\n"))
        assert.deepStrictEqual(yield* pieces(cut(input, lengths)), lines.filter((line) => line !== ""))
      })
  )

  it.effect("the last piece is complete without a delimiter at its end", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* pieces([Buffer.from("one\ntw"), Buffer.from("o")]), ["one", "two"])
    }))
})
