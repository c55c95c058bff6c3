/** What the bundles of the programs have in common: how modules are loaded, and the settings of esbuild. */
import type * as esbuild from "esbuild"
import * as Fs from "node:fs"
import { isBuiltin } from "node:module"
import * as Path from "node:path"
import { withoutBarrels, withoutFacades } from "./imports.ts"

/** The directory of the project. */
export const root = Path.resolve(import.meta.dirname, "..")
const source = Path.join(root, "src")

/** Turns calls of CommonJS for Node's modules into calls that a bundle of ES modules has; see `withoutFacades`. */
const withoutRequire = (code: string): string =>
  code.replaceAll(
    /\brequire\('([a-z]+)'\)/g,
    (call: string, name: string) => isBuiltin(name) ? `globalThis.process.getBuiltinModule("node:${name}")` : call
  )

const platform = Path.join(root, "node_modules", "@effect")
const websockets = Path.join(root, "node_modules", "ws", Path.sep)

const directImports: esbuild.Plugin = {
  name: "direct-imports",
  setup: (build) => {
    build.onLoad({ filter: /\.[jt]s$/ }, async ({ path }) => {
      if (path.startsWith(websockets)) {
        return { contents: withoutRequire(await Fs.promises.readFile(path, "utf8")), loader: "js" }
      }
      if (!path.startsWith(source) && !path.startsWith(platform)) return undefined
      const code = withoutFacades(await Fs.promises.readFile(path, "utf8"))
      return path.endsWith(".ts") ? { contents: withoutBarrels(code), loader: "ts" } : { contents: code, loader: "js" }
    })
  }
}

/** The WebSockets of Effect's HTTP server, which it loads at once, and the coding of latency sketches: no program uses them. */
const withoutUnused: esbuild.Plugin = {
  name: "without-unused",
  setup: (build) => {
    build.onResolve(
      { filter: /^(?:\.\/NodeWS\.js|protobufjs\/minimal)$/ },
      ({ path }) => ({ path, namespace: "unused" })
    )
    build.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {}" }))
  }
}

/** The settings of every bundle. */
export const settings = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  // `ws` would load native code if it were installed.
  define: { "process.env.WS_NO_BUFFER_UTIL": "true", "process.env.WS_NO_UTF_8_VALIDATE": "true" },
  plugins: [directImports, withoutUnused],
  logLevel: "warning"
} as const satisfies esbuild.BuildOptions
