/** The licences of the packages whose code is in the bundles: they have to be passed on with it. */
import type { Metafile } from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { root } from "./bundle.ts"

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
}

/** The directory of the package that a bundled file belongs to. */
const packageOf = (file: string): string | undefined =>
  /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0]

/** Returns the directories of the packages that have code in the bundles, relative to the project. */
export const packagesOf = (metafiles: ReadonlyArray<Metafile>): ReadonlyArray<string> =>
  Array.from(
    new Set(metafiles.flatMap(({ outputs }) =>
      Object.values(outputs).flatMap(({ inputs }) =>
        Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => bytesInOutput === 0 ? [] : packageOf(file) ?? [])
      )
    ))
  ).toSorted()

/** Returns a document with the name, the version and the licence of each package. */
export const licensesOf = (packages: ReadonlyArray<string>): string => {
  const sections = packages.map((directory) => {
    const path = Path.join(root, directory)
    const { license, name, version }: Manifest = JSON.parse(Fs.readFileSync(Path.join(path, "package.json"), "utf8"))
    const file = Fs.readdirSync(path).find((name) => /^licen[cs]e/i.test(name))
    if (license === undefined || file === undefined) throw new Error(`${name} has no licence`)
    return `## ${name} ${version} (${license})\n\n${Fs.readFileSync(Path.join(path, file), "utf8").trim()}\n`
  })
  return `# Licences\n\nThe programs and \`effect-nsq/promise\` contain code of these packages. Those of nsqadmin's pages are in \`web/licenses.md\`.\n\n${
    sections.join("\n")
  }`
}
