/** The package's entry points, as esbuild sees them. */
import * as Esbuild from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { withoutBarrels } from "../../scripts/imports.ts"

export const root = Path.resolve(import.meta.dirname, "../..")
const source = Path.join(root, "src")

/** The module behind `effect-nsq` with a suffix, such as `/client`. */
const entries: Readonly<Record<string, string>> = {
  "": "index.ts",
  "/admin": "services/admin/index.ts",
  "/broker": "broker.ts",
  "/client": "services/client/index.ts",
  "/persistence": "services/persistence/index.ts",
  "/protocol": "protocol/index.ts",
  "/promise": "services/promise/index.ts",
  "/testing": "testing/index.ts"
}

/** Reads sources as the build writes them. */
const asBuilt: Esbuild.Plugin = {
  name: "as-built",
  setup: (build) => {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!path.startsWith(source)) return undefined
      return { contents: withoutBarrels(await Fs.promises.readFile(path, "utf8")), loader: "ts" }
    })
  }
}

/** Bundles an entry point with all that it imports, for Node. */
const bundle = (suffix: string) =>
  Esbuild.build({
    absWorkingDir: root,
    entryPoints: [Path.join(source, entries[suffix] ?? suffix)],
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    outdir: "out",
    platform: "node",
    format: "esm",
    target: "node22.19",
    logLevel: "silent",
    // It requires a package that it does not depend on.
    external: ["@datadog/sketches-js"],
    plugins: [asBuilt]
  })

/** The files and Node's modules that an import of an entry point loads, without those that are loaded later. */
const loadedBy = async (suffix: string) => {
  const { metafile } = await bundle(suffix)
  const files = new Set<string>()
  const builtins = new Set<string>()
  const load = (path: string): void => {
    if (files.has(path)) return
    files.add(path)
    for (const { external, kind, path: imported } of metafile.inputs[path]?.imports ?? []) {
      if (kind === "dynamic-import") continue
      if (external === true) builtins.add(imported)
      else load(imported)
    }
  }
  load(`src/${entries[suffix]}`)
  return { files: [...files], builtins: [...builtins] }
}

/** The modules that an import of an entry point loads, without those that are loaded later. */
export const modulesOf = async (suffix: string): Promise<ReadonlyArray<string>> => (await loadedBy(suffix)).files

/** Node's modules that an import of an entry point loads, as `node:net`. */
export const builtinsOf = async (suffix: string): Promise<ReadonlyArray<string>> =>
  (await loadedBy(suffix)).builtins.map((name) => name.startsWith("node:") ? name : `node:${name}`)
