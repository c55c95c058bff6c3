/** The documentation site, without VitePress: its pages, their links, and the check of what VitePress wrote. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { programs, standalone } from "../../scripts/dist/programs.ts"
import { check } from "../../scripts/docs/check.ts"
import { configurationPages } from "../../scripts/docs/configuration.ts"
import { outline } from "../../scripts/docs/outline.ts"
import { allPages, unlisted } from "../../scripts/docs/pages.ts"

const root = resolve(import.meta.dirname, "../..")

describe("the documentation site", () => {
  it("the navigation has every document, and a page for each of its entries", () => {
    assert.deepStrictEqual(unlisted(), [])
    const { pages } = allPages()
    const listed = outline.flatMap(({ entries }) => entries.map(({ page }) => page))
    assert.deepStrictEqual(listed.filter((page) => !pages.has(page)), [])
    assert.strictEqual(new Set(listed).size, listed.length)
  })

  it("llms.txt lists every document, and each of its links leads to a file", () => {
    const text = Fs.readFileSync(join(root, "llms.txt"), "utf8")
    const linked = Array.from(text.matchAll(/\]\(([^()]+)\)/g), ([, target = ""]) => target)
    const sources = outline.flatMap(({ entries }) => entries.flatMap(({ source }) => source ?? []))
    assert.deepStrictEqual(sources.filter((source) => !linked.includes(source)), [])
    assert.deepStrictEqual(linked.filter((target) => !Fs.existsSync(join(root, target))), [])
  })

  it("every link of a page leads to a page or to a file of the site", () => {
    const { assets, pages } = allPages()
    const links = Array.from(pages).flatMap(([page, text]) =>
      Array.from(
        text.replaceAll(/^(```+)[^\n]*\n.*?^\1$/gms, "").matchAll(/\]\((\/[^()\s#]+)/g),
        ([, target = ""]) => ({
          page,
          target
        })
      )
    )
    assert.isAbove(links.length, 200)
    const exists = (target: string): boolean =>
      target.endsWith(".md") ? pages.has(target.slice(1, -3)) : assets.has(target.replace("/files/", ""))
    assert.deepStrictEqual(links.filter(({ target }) => !exists(target)), [])
  })

  it("the page of a program has a row for every option of its table, and its groups as headings", () => {
    const pages = configurationPages()
    for (const { name, options } of [...programs, standalone]) {
      const page = pages.get(`configuration/${name}`) ?? ""
      for (const { flag, group, key } of options) {
        assert.match(page, new RegExp(`^\\| \`--${flag}[\`=]`, "m"), name)
        if (group !== "") assert.include(page, `\n## ${group}\n`, name)
        if (page.includes("key in the config file")) assert.include(page, `\`${key}\``, name)
      }
    }
  })

  it("the check finds links without a page or a heading, and what is loaded from another host", () => {
    const directory = Fs.mkdtempSync(join(tmpdir(), "site-"))
    try {
      const html = (name: string, text: string): void => Fs.writeFileSync(join(directory, name), text)
      html("a.html", `<h1 id="top">A</h1><a href="b.html#c">b</a><a href="https://example.com">elsewhere</a>`)
      html("b.html", `<h2 id="c">C</h2><a href="/a.html#top">a</a><img src="/pixel.png">`)
      assert.deepStrictEqual(check(directory), [])
      html("b.html", `<a href="missing.html">x</a><script src="https://example.com/x.js"></script>`)
      html("style.css", `@import "https://example.com/font.css"; a { background: url(local.png) }`)
      assert.deepStrictEqual(check(directory), [
        "/a.html: the link b.html#c leads to no heading",
        "/b.html loads https://example.com/x.js",
        "/b.html: the link missing.html leads to no page",
        "style.css loads https://example.com/font.css"
      ])
    } finally {
      Fs.rmSync(directory, { recursive: true })
    }
  })
})
