/** Writes the pages that VitePress builds: the documents, with the links of the site, and the generated references. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { configurationPages } from "./configuration.ts"
import { httpPages } from "./httpPages.ts"
import { type Needed, programPage, relink } from "./links.ts"
import { documents as openApi } from "./openapi/apis.ts"
import { documents, outline } from "./outline.ts"

const root = Path.resolve(import.meta.dirname, "../..")

/** The modules of the library, as programs import them: their pages are TypeDoc's. */
const modules = ["", "/admin", "/broker", "/client", "/persistence", "/promise", "/protocol", "/testing"]
  .map((suffix) => `effect-nsq${suffix}`)

/** The navigation, as VitePress takes it. */
const navigation = {
  nav: [
    { text: "Tutorial", link: "/tutorial" },
    { text: "Operations", link: "/operations" },
    { text: "Client", link: "/client" },
    { text: "API", link: "/api/" }
  ],
  sidebar: outline.map(({ entries, title }, i) => ({
    text: title,
    collapsed: i > 2,
    items: entries.map(({ page, title }) => ({ text: title, link: `/${page.replace(/index$/, "")}` }))
  })).concat({
    text: "API of the library",
    collapsed: true,
    items: modules.map((name) => ({ text: name, link: `/api/${name}/` }))
  })
}

/** The documents in `docs/` that the outline does not list. */
export const unlisted = (): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((name) => `docs/${name}`)
    .filter((name) => name.endsWith(".md") && !documents.has(name))

/** Returns all pages by their paths on the site, without the API of the library, and the files that they need. */
export const allPages = (): { readonly pages: ReadonlyMap<string, string>; readonly assets: ReadonlySet<string> } => {
  const missing = unlisted()
  if (missing.length > 0) throw new Error(`not in scripts/docs/outline.ts: ${missing.join(", ")}`)
  const needed: Needed = { programs: new Set(), assets: new Set() }
  const pages = new Map<string, string>()
  for (const [source, { page }] of documents) {
    pages.set(page, relink(source, Fs.readFileSync(Path.join(root, source), "utf8"), needed))
  }
  for (const [page, text] of [...configurationPages(), ...httpPages()]) pages.set(page, text)
  for (const source of needed.programs) {
    const code = Fs.readFileSync(Path.join(root, source), "utf8")
    pages.set(
      programPage(source),
      `# ${Path.basename(source)}\n\nThe file \`${source}\`, which the tests run.\n\n\`\`\`ts\n${code}\`\`\`\n`
    )
  }
  return { pages, assets: needed.assets }
}

/** Writes all pages and their files into an empty directory. */
export const writePages = (directory: string): void => {
  const { assets, pages } = allPages()
  Fs.rmSync(directory, { recursive: true, force: true })
  const write = (name: string, content: string | Buffer): void => {
    const path = Path.join(directory, name)
    Fs.mkdirSync(Path.dirname(path), { recursive: true })
    Fs.writeFileSync(path, content)
  }
  for (const [page, text] of pages) write(`${page}.md`, text)
  for (const asset of assets) write(`public/files/${asset}`, Fs.readFileSync(Path.join(root, asset)))
  for (const [name, document] of openApi()) write(`public/openapi/${name}.json`, JSON.stringify(document, null, 2))
  write("navigation.json", JSON.stringify(navigation))
}
