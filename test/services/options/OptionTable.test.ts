import { assert, describe, it } from "@effect/vitest"
import { Duration, Result } from "effect"
import * as Kind from "../../../src/services/options/OptionKind.ts"
import * as Row from "../../../src/services/options/OptionRow.ts"
import * as OptionTable from "../../../src/services/options/OptionTable.ts"
import { type Demo, table } from "./demo.ts"

describe("OptionTable", () => {
  it("the defaults are those of the rows, evaluated anew each time", () => {
    let calls = 0
    const counted = { count: Row.row("count", Kind.int, () => ++calls, "how often it was evaluated") }
    assert.strictEqual(calls, 0)
    assert.deepStrictEqual([1, 2].map(() => OptionTable.defaults(counted).count), [1, 2])
    assert.deepStrictEqual(OptionTable.defaults(table), {
      name: "demo",
      maxSize: 10,
      loud: false,
      wait: Duration.seconds(90),
      hosts: []
    })
  })

  it("a value of another source changes only its own option, or is refused with what is expected", () => {
    assert.deepStrictEqual(
      OptionTable.decode(table, { field: "wait", value: 1500n }),
      Result.succeed({ wait: Duration.millis(1500) })
    )
    assert.deepStrictEqual(
      OptionTable.decode(table, { field: "maxSize", value: true }),
      Result.fail({ _tag: "InvalidText", reason: "must be an integer" } as const)
    )
  })

  it("an option is rendered by its config key, and by no other name", () => {
    const options: Demo = { ...OptionTable.defaults(table), hosts: ["a"] }
    assert.deepStrictEqual(OptionTable.render(table, options, "max_size"), { _tag: "Json", json: 10 })
    assert.deepStrictEqual(OptionTable.render(table, options, "name"), { _tag: "Text", text: "demo" })
    assert.deepStrictEqual(OptionTable.render(table, options, "hosts"), { _tag: "Json", json: ["a"] })
    for (const key of ["max-size", "maxSize", "limit", "host", "", "__proto__", "toString"]) {
      assert.isUndefined(OptionTable.render(table, options, key), key)
    }
  })
})
