import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join, relative, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../..")
const source = join(root, "src")

const entries = readdirSync(source, { recursive: true, withFileTypes: true })
const namesOfFiles = new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name))
const folders = entries
  .filter((entry) => entry.isDirectory())
  .map((entry) => relative(source, join(entry.parentPath, entry.name)))

const read = (document: string): string => readFileSync(join(root, document), "utf8")

/** The names of TypeScript files in a document, as far as they are code. */
const filesIn = (text: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(/`([\w./-]+\.tsx?)`/g), ([, name = ""]) => name)

/** Whether a name is that of a file: a path below the root, `src` or `src/services`, or a name without a path of a file in `src`. */
const exists = (name: string): boolean =>
  basename(name) === name && namesOfFiles.has(name) ||
  [root, source, join(source, "services")].some((folder) => existsSync(join(folder, name)))

/**
 * The description of each room in the list of rooms, by its path. A room is indented below the one that contains it, and a line with
 * a deeper indentation than any room continues the description.
 */
const rooms = (text: string): ReadonlyMap<string, string> => {
  const [, list = ""] = /^## Rooms\n+```\n(.*?)^```/ms.exec(text) ?? []
  const found = new Map<string, string>()
  const path: Array<string> = []
  let last = ""
  for (const line of list.split("\n")) {
    const [, indent = "", name, description = ""] = /^( {0,4})([\w/]+)\/(?: +(.*))?$/.exec(line) ?? []
    if (name === undefined) {
      found.set(last, `${found.get(last) ?? ""} ${line.trim()}`)
      continue
    }
    path.length = indent.length / 2
    path.push(name)
    last = path.join("/")
    found.set(last, description)
  }
  return found
}

/** Whether the list has a line for a folder, or the description of the room that contains it mentions `name/`. */
const isListed = (list: ReadonlyMap<string, string>, folder: string): boolean => {
  const path = `src/${folder}`
  const parent = list.get(path.slice(0, path.lastIndexOf("/")))
  return list.has(path) || new RegExp(`\\b${basename(folder)}/`).test(parent ?? "")
}

describe("the map of the sources", () => {
  it("every file that ARCHITECTURE.md, CONTRIBUTING.md and README.md name exists", () => {
    for (const document of ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"]) {
      assert.deepStrictEqual(filesIn(read(document)).filter((name) => !exists(name)), [], document)
    }
    assert.isAbove(filesIn(read("ARCHITECTURE.md")).length, 30)
    assert.isFalse(exists("nsqd/storage/Missing.ts"))
    assert.isFalse(exists("Missing.ts"))
  })

  it("every folder of the sources is in the list of rooms, and every room exists", () => {
    const list = rooms(read("ARCHITECTURE.md"))
    assert.deepStrictEqual(folders.filter((folder) => !isListed(list, folder)), [])
    assert.deepStrictEqual(Array.from(list.keys()).filter((room) => !existsSync(join(root, room))), [])
    assert.isFalse(isListed(list, "services/nsqd/missing"))
  })
})
