import { assert, describe, it } from "@effect/vitest"
import { Duration, Result, Schema, Struct } from "effect"
import * as Kind from "../../../src/services/options/OptionKind.ts"
import * as OptionTable from "../../../src/services/options/OptionTable.ts"
import { table } from "./demo.ts"

const assign = (...flags: ReadonlyArray<readonly [name: string, text: string]>) =>
  OptionTable.assign(table, flags.map(([name, text]) => ({ name, text })))

describe("OptionTable", () => {
  it("a row's config key is its flag with underscores unless it has another one, and it has no aliases by default", () => {
    assert.deepStrictEqual([table.maxSize.key, table.hosts.key], ["max_size", "hosts"])
    assert.deepStrictEqual([table.name.aliases, table.maxSize.aliases], [[], ["max-length", "limit"]])
  })

  it("the defaults are those of the rows, evaluated anew each time", () => {
    let calls = 0
    const counted = { count: OptionTable.row("count", Kind.int, () => ++calls, "how often it was evaluated") }
    assert.strictEqual(calls, 0)
    assert.deepStrictEqual([1, 2].map(() => Struct.map(OptionTable.initialValue)(counted).count), [1, 2])
    assert.deepStrictEqual(Struct.map(OptionTable.initialValue)(table), {
      name: "demo",
      maxSize: 10,
      loud: false,
      wait: Duration.seconds(90),
      hosts: []
    })
  })

  it("each row has a flag with its default, and a deprecated flag for each alias without a default", () => {
    assert.deepStrictEqual(
      OptionTable.flags(table).map(({ defaultText, help, name }) => [name, help, defaultText]),
      [
        ["name", "name to show", "\"demo\""],
        ["max-size", "largest size", "10"],
        ["max-length", "[deprecated] use --max-size", ""],
        ["limit", "[deprecated] use --max-size", ""],
        ["loud", "log more", ""],
        ["wait", "time to wait", "1m30s"],
        ["host", "host (may be given several times)", ""]
      ]
    )
  })

  it("a flag checks its value as its kind does, under each of its names", () => {
    for (const flag of OptionTable.flags(table).filter(({ placeholder }) => placeholder === "int")) {
      assert.isTrue(Result.isSuccess(flag.check("5")))
      const refused = flag.check("five")
      assert.strictEqual(Result.isFailure(refused) && refused.failure.reason, "parse error")
    }
  })

  it("only options that are given are assigned: the last value counts, lists accumulate, other flags are ignored", () => {
    assert.deepStrictEqual(assign(), Result.succeed({ given: {}, deprecated: [] }))
    assert.deepStrictEqual(
      assign(["max-size", "1"], ["host", "a"], ["version", "true"], ["max-size", "2"], ["host", "b"]),
      Result.succeed({ given: { maxSize: 2, hosts: ["a", "b"] }, deprecated: [] })
    )
  })

  it("an alias sets the same option as its flag, with a warning", () => {
    assert.deepStrictEqual(
      assign(["max-size", "1"], ["limit", "2"], ["max-length", "3"]),
      Result.succeed({
        given: { maxSize: 3 },
        deprecated: ["--limit is deprecated, use --max-size", "--max-length is deprecated, use --max-size"]
      })
    )
  })

  it("a value that is not valid fails the assignment", () => {
    const failed = assign(["name", "x"], ["wait", "soon"])
    assert.strictEqual(Result.isFailure(failed) && failed.failure.reason, "parse error")
  })

  it.prop("each text of a string flag is assigned unchanged", [Schema.String], ([text]) => {
    assert.deepStrictEqual(assign(["name", text]), Result.succeed({ given: { name: text }, deprecated: [] }))
  })

  it("a value of another source changes only its own option, or is refused with what is expected", () => {
    assert.deepStrictEqual(
      OptionTable.decode(table, { field: "wait", value: 1500n }),
      Result.succeed({ wait: Duration.millis(1500) })
    )
    assert.deepStrictEqual(
      OptionTable.decode(table, { field: "maxSize", value: true }),
      Result.fail("must be an integer")
    )
  })

  it("an option is rendered by its config key, and by no other name", () => {
    const options = { ...Struct.map(OptionTable.initialValue)(table), hosts: ["a"] }
    assert.deepStrictEqual(OptionTable.render(table, options, "max_size"), { _tag: "Json", json: 10 })
    assert.deepStrictEqual(OptionTable.render(table, options, "name"), { _tag: "Text", text: "demo" })
    assert.deepStrictEqual(OptionTable.render(table, options, "hosts"), { _tag: "Json", json: ["a"] })
    for (const key of ["max-size", "maxSize", "limit", "host", "", "__proto__", "toString"]) {
      assert.isUndefined(OptionTable.render(table, options, key), key)
    }
  })
})
