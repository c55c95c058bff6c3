import { assert, describe, it } from "@effect/vitest"
import { Duration, Result } from "effect"
import * as Kind from "../../../src/services/options/OptionKind.ts"
import * as Row from "../../../src/services/options/OptionRow.ts"

describe("OptionRow", () => {
  it("a row's config key is its flag with underscores unless it has another one, and it has no aliases by default", () => {
    const { aliases, key } = Row.count("max-queue-size", 1, "")
    assert.deepStrictEqual([key, aliases], ["max_queue_size", []])
    const named = Row.strings("host", "", { key: "hosts", aliases: ["server"] })
    assert.deepStrictEqual([named.key, named.aliases], ["hosts", ["server"]])
  })

  it("the short forms have the kind of their name and their default", () => {
    const { help, initial, kind } = Row.strings("host", "a host")
    assert.deepStrictEqual([kind, initial(), help], [Kind.strings, [], "a host (may be given several times)"])
    const wait = Row.duration("wait", "90 seconds", "")
    assert.deepStrictEqual([wait.kind, wait.initial()], [Kind.span, Duration.seconds(90)])
    const text = Row.string("name", "x", "")
    assert.deepStrictEqual([text.kind, text.initial()], [Kind.string, "x"])
    const size = Row.count("size", 5, "")
    assert.deepStrictEqual([size.kind, size.initial()], [Kind.count, 5])
    const limit = Row.limit("max-size", 5, "largest size")
    assert.deepStrictEqual([limit.kind, limit.initial(), limit.help], [
      Kind.count,
      5,
      "largest size; 0 for no limit"
    ])
    const format = Row.oneOf("format", ["nsq", "json"], "nsq", "")
    assert.deepStrictEqual([format.kind.format(format.initial()), Result.isFailure(format.kind.decode("xml"))], [
      "\"nsq\"",
      true
    ])
    const loud = Row.bool("loud", true, "")
    assert.deepStrictEqual([loud.kind, loud.initial()], [Kind.bool, true])
  })

  it("a default is evaluated when it is needed", () => {
    let calls = 0
    const counted = Row.row("count", Kind.count, () => ++calls, "")
    assert.deepStrictEqual([calls, counted.initial(), counted.initial()], [0, 1, 2])
  })
})
