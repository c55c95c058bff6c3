/** The docstrings of what the package exports. They precede the declarations, so that editors show them. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { entryPoints } from "./entryPoints.ts"

const root = Path.resolve(import.meta.dirname, "../..")

const declaration = /^export (?:declare )?(?:abstract )?(?:const|class|interface|type|function) (\w+)/

/** Whether a declaration follows a docstring with its version and its category. */
const isDocumented = (lines: ReadonlyArray<string>, at: number): boolean => {
  if (lines[at - 1]?.trimEnd().endsWith("*/") !== true) return false
  const begin = lines.findLastIndex((line, i) => i < at && line.trimStart().startsWith("/**"))
  const text = lines.slice(begin, at).join("\n")
  return text.includes("@since ") && text.includes("@category ")
}

/** The names that a module declares and exports, and whether one of their declarations is documented. */
const declarationsOf = (lines: ReadonlyArray<string>): ReadonlyMap<string, boolean> => {
  const found = new Map<string, boolean>()
  for (const [i, line] of lines.entries()) {
    const name = declaration.exec(line)?.[1]
    if (name === undefined) continue
    const documented = isDocumented(lines, i)
    // A Schema and its type have one name and one docstring.
    found.set(name, documented || found.get(name) === true)
  }
  return found
}

const seen = new Map<string, Set<string>>()

/** Items without a docstring among `names` of a module; all of its items for `undefined`. */
const undocumented = (file: string, names: ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  const text = Fs.readFileSync(Path.join(root, file), "utf8")
  const at = (specifier: string): string => Path.join(Path.dirname(file), specifier)
  const known = seen.get(file) ?? new Set<string>()
  seen.set(file, known)
  const own = Array.from(declarationsOf(text.split("\n")))
    .filter(([name]) => names === undefined || names.includes(name))
    .filter(([name]) => !known.has(name))
    .flatMap(([name, documented]) => {
      known.add(name)
      return documented ? [] : [`${file}: ${name}`]
    })
  if (names !== undefined) return own
  const namespaces = Array.from(
    text.matchAll(/^export \* (?:as \w+ )?from "(\.[^"]+)"/gm),
    ([, from = ""]) => undocumented(at(from), undefined)
  )
  const selected = Array.from(
    text.matchAll(/^export (?:type )?\{([^}]+)\} from "(\.[^"]+)"/gm),
    ([, list = "", from = ""]) =>
      undocumented(at(from), list.split(",").map((item) => item.trim().replace(/^type /, "").replace(/ as .*$/, "")))
  )
  return [...own, ...namespaces.flat(), ...selected.flat()]
}

describe("the package's exports", () => {
  it("every exported item has a docstring with its version and its category", () => {
    seen.clear()
    assert.deepStrictEqual(entryPoints.flatMap((file) => undocumented(file, undefined)), [])
  })

  it("every namespace of an entry point has an example, in its docstring or in its module", () => {
    const missing = entryPoints.flatMap((file) => {
      const text = Fs.readFileSync(Path.join(root, file), "utf8")
      return Array.from(
        text.matchAll(/^export \* as ([A-Z]\w*) from "(\.[^"]+)"/gm),
        ({ 1: name = "", 2: from = "", index }) => {
          const docs = text.slice(text.lastIndexOf("/**", index), index)
          const module = Fs.readFileSync(Path.join(root, Path.dirname(file), from), "utf8")
          return docs.includes("```ts") || module.includes("```ts") ? [] : [`${file}: ${name}`]
        }
      ).flat()
    })
    assert.deepStrictEqual(missing, [])
  })
})
