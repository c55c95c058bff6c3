/** The options of the package: a reader of the docstrings knows what happens without an option, and the unit of each number. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"

const source = Path.resolve(import.meta.dirname, "../../src")

interface Option {
  /** File, interface and name. */
  readonly at: string
  readonly name: string
  readonly type: string
  readonly isOptional: boolean
  readonly docs: string
}

/** The properties of an interface, with the docstring before each. */
const propertiesOf = (at: string, body: string): ReadonlyArray<Option> => {
  const found: Array<Option> = []
  let docs = ""
  let isInside = false
  for (const line of body.split("\n")) {
    if (/^ +\/\*\*/.test(line)) docs = ""
    if (isInside || /^ +\/\*\*/.test(line)) {
      docs += `${line}\n`
      isInside = !line.includes("*/")
      continue
    }
    const [, name, mark, type = ""] = /^ {2}(?:readonly )?(\w+)(\?)?: (.*)$/.exec(line) ?? []
    if (name === undefined) continue
    found.push({ at: `${at}.${name}`, name, type, isOptional: mark === "?", docs })
    docs = ""
  }
  return found
}

/** The options of the exported interfaces: those have a version. */
const options: ReadonlyArray<Option> = Fs.readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.startsWith("web"))
  .flatMap((file) =>
    Array.from(
      Fs.readFileSync(Path.join(source, file), "utf8").matchAll(
        /^ \* @since [^\n]*\n(?: \*[^\n]*\n)* \*\/\nexport interface (\w*Options)\b[^{]*\{\n(.*?)^\}/gms
      ),
      ([, name = "", body = ""]) => propertiesOf(`${file}: ${name}`, body)
    ).flat()
  )

const undocumented = (among: ReadonlyArray<Option>): ReadonlyArray<string> =>
  among.filter(({ docs, isOptional }) => isOptional && !docs.includes("Default")).map(({ at }) => at)

/** Numbers whose names are those of durations or sizes, without their unit. */
const withoutUnit = (among: ReadonlyArray<Option>): ReadonlyArray<string> =>
  among.filter(({ docs, name, type }) => {
    if (type !== "number") return false
    if (/(?:timeout|interval|delay|duration)$/i.test(name)) return !/\bms\b|milliseconds|All durations/.test(docs)
    return /(?:size|bytes)$/i.test(name) && name !== "size" && !/\bbytes\b/.test(docs)
  }).map(({ at }) => at)

describe("the options of the package", () => {
  it("every option that may be left out states its default", () => {
    assert.isAbove(options.length, 100)
    assert.deepStrictEqual(undocumented(options), [])
  })

  it("every number that is a duration or a size states its unit", () => {
    assert.deepStrictEqual(withoutUnit(options), [])
  })

  it("an option without a default and a number without a unit are found", () => {
    const found = propertiesOf("X", "  /** A limit. */\n  readonly dialTimeout?: number\n  readonly other?: string\n")
    assert.deepStrictEqual(undocumented(found), ["X.dialTimeout", "X.other"])
    assert.deepStrictEqual(withoutUnit(found), ["X.dialTimeout"])
  })
})
