/** The installed programs, in the same place of every artefact: `/usr/lib/effect-nsq`, with links in `/usr/bin`. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { copies, copy, type Entry, text } from "./tree.ts"

/** The directory of the project. */
export const root = Path.resolve(import.meta.dirname, "../..")

const manifest: unknown = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8"))

/** Returns a string of package.json. */
export const field = (name: string): string => {
  const value = typeof manifest === "object" && manifest !== null ? Object.entries(manifest) : []
  const found = value.find(([key]) => key === name)?.[1]
  if (typeof found !== "string") throw new Error(`package.json has no string ${name}`)
  return found
}

/** The version of the package. */
export const version = field("version")

/** The oldest Node version that runs the programs, such as `22.19`. */
export const oldestNode = "22.19"

/** The programs with a link in `/usr/bin`. `standalone` is `nsq standalone`: its name says too little there. */
export const names: ReadonlyArray<string> = [
  "nsq",
  "nsq_stat",
  "nsq_tail",
  "nsq_to_file",
  "nsq_to_http",
  "nsq_to_nsq",
  "nsqadmin",
  "nsqd",
  "nsqlookupd",
  "to_nsq"
]

const place = "usr/lib/effect-nsq"

/** The packages that the bundles load at run time. The native ones are missing: JavaScript replaces them. */
const packages = ["undici", "@datadog/sketches-js"]

/** The licence of Node and of the libraries in it: part of the package for this platform, which not every npm nests. */
export const nodeLicense = (): string | undefined =>
  [
    `node_modules/node/node_modules/node-linux-${process.arch}/LICENSE`,
    `node_modules/node-linux-${process.arch}/LICENSE`
  ]
    .map((path) => Path.join(root, path))
    .find((path) => Fs.existsSync(path))

const ofPackage = (name: string): ReadonlyArray<Entry> =>
  copies(`${place}/node_modules/${name}`, Path.join(root, "node_modules", name))
    .filter(({ path }) => !/\.(?:d\.[cm]?ts|map|md)$/.test(path) && !/\/(?:docs|types)\//.test(path))

/** Returns the programs that this checkout has built. */
export const application = (): ReadonlyArray<Entry> => {
  if (!Fs.existsSync(Path.join(root, "dist/bin/nsqd"))) throw new Error("dist/bin is missing; run npm run build")
  return [
    ...copies(`${place}/dist/bin`, Path.join(root, "dist/bin"))
      .filter(({ path }) => !/\/dist\/bin\/(?:standalone|chunks\/standalone\.mjs)$/.test(path)),
    ...copies(`${place}/dist/web`, Path.join(root, "dist/web")),
    ...packages.flatMap(ofPackage),
    text(`${place}/package.json`, `${JSON.stringify({ name: field("name"), version, type: "module" })}\n`),
    copy("usr/share/doc/effect-nsq/copyright", Path.join(root, "LICENSE")),
    copy("usr/share/doc/effect-nsq/licenses.md", Path.join(root, "dist/licenses.md")),
    ...names.map((name): Entry => ({
      path: `usr/bin/${name}`,
      type: "link",
      target: `../lib/effect-nsq/dist/bin/${name}`
    }))
  ]
}
