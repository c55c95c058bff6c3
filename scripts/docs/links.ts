/**
 * Links of the documents. In the repository they lead to files; on the site they lead to pages. A linked program becomes a page with
 * its code, an image an asset.
 */
import * as Path from "node:path"
import { documents } from "./outline.ts"

/** What a link needs besides the page: a program to show, or a file to copy. */
export interface Needed {
  readonly programs: Set<string>
  readonly assets: Set<string>
}

/** The page of an example. */
export const programPage = (source: string): string => `examples/${Path.basename(source).replace(/\.ts$/, "")}`

const isAsset = (path: string): boolean => /\.(?:png|svg|json|yaml)$/.test(path)

/** Returns the target on the site of a link in `source`, and notes what it needs. Throws for a file that is not on the site. */
const targetOf = (source: string, target: string, needed: Needed): string => {
  if (/^(?:[a-z]+:|#)/.test(target)) return target
  const [file = "", anchor] = target.split("#", 2)
  const path = Path.posix.normalize(Path.posix.join(Path.posix.dirname(source), file))
  const suffix = anchor === undefined ? "" : `#${anchor}`
  const entry = documents.get(path)
  if (entry !== undefined) return `/${entry.page}.md${suffix}`
  if (path.endsWith(".ts")) {
    needed.programs.add(path)
    return `/${programPage(path)}.md`
  }
  if (isAsset(path)) {
    needed.assets.add(path)
    return `/files/${path}`
  }
  throw new Error(`${source} links to ${target}, which is not on the site: list it in scripts/docs/outline.ts`)
}

const codeBlock = /^(```+)[^\n]*\n.*?^\1$/gms

/** Returns the text of a document with the links of the site. */
export const relink = (source: string, text: string, needed: Needed): string => {
  const link = (part: string): string =>
    part.replaceAll(/\]\(([^()\s]+)\)/g, (_, target: string) => `](${targetOf(source, target, needed)})`)
  const parts: Array<string> = []
  let end = 0
  for (const { 0: block, index } of text.matchAll(codeBlock)) {
    parts.push(link(text.slice(end, index)), block)
    end = index + block.length
  }
  return [...parts, link(text.slice(end))].join("")
}
