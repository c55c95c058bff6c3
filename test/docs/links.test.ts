import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../..")

const sources = ["src", "test", "bench", "examples"]
const prose = ["README.md", "AGENTS.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"]

const filesBelow = (directory: string): ReadonlyArray<string> =>
  readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:md|mjs|tsx?)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))

const files = [
  ...[...sources, "docs"].flatMap(filesBelow),
  ...prose.map((name) => join(root, name)).filter((path) => existsSync(path))
]

/** Removes the code blocks, in which a line may look like a heading. */
const withoutCode = (text: string): string => text.replaceAll(/^(```+)[^\n]*\n.*?^\1$/gms, "")

/** The anchor that GitHub generates for a heading: lower case, without punctuation. */
const slug = (heading: string): string =>
  heading.replaceAll(/\]\([^)]*\)/g, "").trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")

const anchorsByFile = new Map<string, ReadonlySet<string>>()

/** The anchors of a document. The anchor of a repeated heading has a number appended. */
const anchorsOf = (path: string): ReadonlySet<string> => {
  const known = anchorsByFile.get(path)
  if (known !== undefined) return known
  const anchors = new Set<string>()
  for (const [, heading = ""] of withoutCode(readFileSync(path, "utf8")).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const base = slug(heading)
    let anchor = base
    for (let i = 1; anchors.has(anchor); i++) anchor = `${base}-${i}`
    anchors.add(anchor)
  }
  anchorsByFile.set(path, anchors)
  return anchors
}

interface Link {
  readonly from: string
  readonly target: string
  /** The absolute path of the linked file. */
  readonly path: string
  readonly anchor: string | undefined
}

const link = (from: string, target: string, directory: string): Link => {
  const [file = "", anchor] = target.split("#", 2)
  return { from, target, path: file === "" ? from : resolve(directory, file), anchor }
}

/** Relative links of a document, and mentions of documents in any file, which are relative to the root. */
const linksOf = (path: string): ReadonlyArray<Link> => {
  const text = readFileSync(path, "utf8")
  const mentions = Array.from(
    text.matchAll(/(?<![\w./-])docs\/[\w/-]+\.md(?:#[\w-]+)?/g),
    ([target]) => link(path, target, root)
  )
  if (!path.endsWith(".md")) return mentions
  const relatives = Array.from(withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g), ([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => link(path, target, dirname(path)))
  return [...mentions, ...relatives]
}

const isBroken = ({ anchor, path }: Link): boolean =>
  !existsSync(path) || (anchor !== undefined && (!path.endsWith(".md") || !anchorsOf(path).has(anchor)))

describe("links between documents and from sources to documents", () => {
  it("every link leads to a file and a heading that exist", () => {
    const links = files.flatMap(linksOf)
    assert.isAbove(links.length, 100)
    assert.deepStrictEqual(
      links.filter(isBroken).map(({ from, target }) => `${relative(root, from)}: ${target}`),
      []
    )
  })

  it("the anchor of a heading is found, and a link to an anchor or file that does not exist is broken", () => {
    const path = join(root, "docs", "protocol", "files.md")
    assert.isFalse(isBroken(link(path, "#nsqddat", root)))
    assert.isFalse(isBroken(link(path, "client.md#error-codes", dirname(path))))
    assert.isTrue(isBroken(link(path, "client.md#no-such-heading", dirname(path))))
    assert.isTrue(isBroken(link(path, "missing.md", dirname(path))))
  })
})
