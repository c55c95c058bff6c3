/** Checks the built site: every link and every anchor leads somewhere, and no page loads anything from another host. */
import * as Fs from "node:fs"
import * as Path from "node:path"

const decode = (text: string): string =>
  decodeURIComponent(text.replaceAll("&amp;", "&").replaceAll("&quot;", `"`).replaceAll("&#39;", "'"))

interface Page {
  readonly name: string
  readonly html: string
  readonly ids: ReadonlySet<string>
}

/** Elements that a browser loads by itself, with the attribute that names the source. */
const loaded =
  /<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc="([^"]*)"|<link\b(?=[^>]*\brel="(?:stylesheet|preload|modulepreload|icon|preconnect|dns-prefetch|prefetch)")[^>]*\bhref="([^"]*)"/g

const isElsewhere = (url: string): boolean => /^(?:[a-z]+:)?\/\//.test(url)

/** Returns the problems of the site in a directory. */
export const check = (directory: string): ReadonlyArray<string> => {
  const files = Fs.readdirSync(directory, { recursive: true, encoding: "utf8" })
  const existing = new Set(files.map((file) => `/${file.replaceAll(Path.sep, "/")}`))
  const pages = new Map<string, Page>()
  for (const file of files.filter((file) => file.endsWith(".html"))) {
    const html = Fs.readFileSync(Path.join(directory, file), "utf8")
    const ids = new Set(Array.from(html.matchAll(/\bid="([^"]*)"/g), ([, id = ""]) => decode(id)))
    pages.set(`/${file}`, { name: `/${file}`, html, ids })
  }
  const problems: Array<string> = []
  for (const { html, name } of pages.values()) {
    for (const [, src, href] of html.matchAll(loaded)) {
      if (isElsewhere(src ?? href ?? "")) problems.push(`${name} loads ${src ?? href}`)
    }
    for (const [, href = ""] of html.matchAll(/<a\b[^>]*\bhref="([^"]*)"/g)) {
      if (/^[a-z]+:/.test(href) || isElsewhere(href)) continue
      const [path = "", anchor = ""] = decode(href).split("#", 2)
      const absolute = path === "" ? name : Path.posix.resolve(Path.posix.dirname(name), path)
      const target = path.endsWith("/") ? Path.posix.join(absolute, "index.html") : absolute
      if (!existing.has(target)) problems.push(`${name}: the link ${href} leads to no page`)
      else if (anchor !== "" && pages.get(target)?.ids.has(anchor) === false) {
        problems.push(`${name}: the link ${href} leads to no heading`)
      }
    }
  }
  for (const file of files.filter((file) => file.endsWith(".css"))) {
    const css = Fs.readFileSync(Path.join(directory, file), "utf8")
    for (const [, url = ""] of css.matchAll(/(?:@import\s+|url\()["']?([^"')\s]+)/g)) {
      if (isElsewhere(url)) problems.push(`${file} loads ${url}`)
    }
  }
  return [...new Set(problems)]
}
