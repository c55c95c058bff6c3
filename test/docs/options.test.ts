/** The options of the daemons, as a program sees them in its editor. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"

const services = resolve(import.meta.dirname, "../../src/services")
const tables = ["nsqd/options/NsqdTable.ts", "nsqlookupd/NsqlookupdTable.ts", "nsqadmin/NsqadminTable.ts"]

/** An option in a table, and the docstring before it. */
const option = /((?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?)^ +(\w+): (?:Row|HttpOptions|PeerOptions|DaemonPeerOptions)\./gm

describe("the options of the daemons", () => {
  for (const table of tables) {
    it(`each option in ${table} states its effect and its default`, () => {
      const source = readFileSync(resolve(services, table), "utf8")
      const options = Array.from(source.matchAll(option), ([, docstring = "", name = ""]) => ({ docstring, name }))
      assert.isAbove(options.length, 10)
      const incomplete = options.filter(({ docstring }) =>
        !/[.;)] Default:/.test(docstring.replace(/\s*\n\s*\* /g, " "))
      )
      assert.deepStrictEqual(incomplete.map(({ name }) => name), [])
    })
  }
})
