/**
 * Builds the library in `dist`: the TypeScript compiler emits it (tsconfig.build.json), then its imports of Effect's barrel files
 * become imports of single modules and those of Node's modules become calls, a bundle takes the place of the modules of
 * `effect-nsq/promise`, and the declarations of the entry points load the types of Node, which TypeScript 7 does not do by itself.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { withoutBarrels, withoutFacades } from "./imports.ts"
import { bundlePromise } from "./promise.ts"

const root = Path.resolve(import.meta.dirname, "..")
const output = Path.join(root, "dist")
/** Bundlers replace this module: see `imports` in package.json. Node does not have their condition `module`. */
const withReplacements = (code: string): string =>
  code.replace(/ from "[./]+\/core\/LazySchema\.js"/, ` from "#lazy-schema"`)
/** Written by the bundlers. */
const bundled = new Set(["bin", "web", "licenses.md"])

for (const name of Fs.existsSync(output) ? Fs.readdirSync(output) : []) {
  if (!bundled.has(name)) Fs.rmSync(Path.join(output, name), { recursive: true })
}
execFileSync(Path.join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" })

for (const file of Fs.readdirSync(output, { recursive: true, encoding: "utf8" })) {
  const [folder = ""] = file.split(Path.sep)
  if (!file.endsWith(".js") || bundled.has(folder)) continue
  const path = Path.join(output, file)
  const code = Fs.readFileSync(path, "utf8")
  const rewritten = withReplacements(withoutFacades(withoutBarrels(code)))
  if (rewritten !== code) Fs.writeFileSync(path, rewritten)
}

const promise = Path.join(output, "services", "promise")
for (const name of Fs.readdirSync(promise)) {
  if (/\.js(\.map)?$/.test(name)) Fs.rmSync(Path.join(promise, name))
}
for (const { contents, path } of (await bundlePromise(promise)).outputFiles) Fs.writeFileSync(path, contents)

const { exports }: { readonly exports: Readonly<Record<string, string | { readonly types: string }>> } = JSON.parse(
  Fs.readFileSync(Path.join(root, "package.json"), "utf8")
)
for (const entry of Object.values(exports)) {
  if (typeof entry === "string") continue
  const path = Path.join(root, entry.types)
  Fs.writeFileSync(path, `/// <reference types="node" />\n${Fs.readFileSync(path, "utf8")}`)
}
