import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { commandNames } from "../../src/protocol/client/Command.ts"
import { ErrorCode, protocolError } from "../../src/protocol/client/ProtocolError.ts"
import * as NsqadminOptions from "../../src/services/nsqadmin/NsqadminOptions.ts"
import * as NsqdOptions from "../../src/services/nsqd/options/NsqdOptions.ts"
import * as NsqlookupdOptions from "../../src/services/nsqlookupd/NsqlookupdOptions.ts"

const textOf = (name: string): string => readFileSync(join(import.meta.dirname, "../../docs/protocol", name), "utf8")

/** The text below a heading of the second level. */
const section = (text: string, heading: string): string => text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? ""

/** The cells of a table's rows, without code marks, header and separator line. */
const rows = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  text.split("\n").filter((line) => line.startsWith("|"))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("`", ""))).slice(2)

const daemons = [
  { name: "nsqd", table: NsqdOptions.table },
  { name: "nsqlookupd", table: NsqlookupdOptions.table },
  { name: "nsqadmin", table: NsqadminOptions.table }
]

interface AnyRow {
  readonly flag: string
  readonly key: string
  readonly kind: { readonly parse: (text: string, before: undefined) => Result.Result<unknown, unknown> }
  readonly initial: () => unknown
}

/** Descriptions that replace a default value in the documents. */
const inWords = new Set(["none", "empty", "host name", "from the host name"])

/** Whether the string, as a flag, is the default of the option. */
const isDefault = ({ initial, kind }: AnyRow, text: string): boolean => {
  const parsed = kind.parse(text, undefined)
  return Result.isSuccess(parsed) && JSON.stringify(parsed.success) === JSON.stringify(initial())
}

describe("the protocol documents", () => {
  const options = textOf("options.md")

  it("options.md lists every option of each daemon with its default, in the order of the code", () => {
    for (const { name, table } of daemons) {
      const documented = rows(section(options, `${name} options`))
      const all: ReadonlyArray<AnyRow> = Object.values(table)
      assert.deepStrictEqual(documented.map(([flag]) => flag), all.map(({ flag }) => `--${flag}`), name)
      documented.forEach(([flag = "", , value = ""], i) => {
        const row = all[i]
        if (row === undefined || inWords.has(value)) return
        assert.isTrue(isDefault(row, value), `${name} ${flag}: ${value}`)
      })
    }
  })

  it("options.md lists every config key that differs from its flag's name", () => {
    const exceptions = new Map(rows(section(options, "Config keys")).map(([flag = "", key = ""]) => [flag, key]))
    for (const { flag, key } of daemons.flatMap(({ table }): ReadonlyArray<AnyRow> => Object.values(table))) {
      const isRegular = key === flag.replaceAll("-", "_")
      assert.strictEqual(exceptions.get(`--${flag}`), isRegular ? undefined : key, flag)
    }
  })

  it("client.md has a heading for every command and names every error code with its fatality", () => {
    const client = textOf("client.md")
    for (const name of commandNames) assert.notStrictEqual(section(client, name), "", name)
    const documented = rows(section(client, "Error codes"))
      .flatMap(([names = "", , fatal = ""]) => names.split(", ").map((code) => `${code} ${fatal}`))
    const actual = ErrorCode.literals.map((code) => `${code} ${protocolError(code, "").fatal ? "yes" : "no"}`)
    assert.deepStrictEqual(documented.toSorted(), actual.toSorted())
  })
})
