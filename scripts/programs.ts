/**
 * Builds `dist/bin`: bundles each program by itself into few files so that it starts fast. `scripts/library.ts` builds the
 * library.
 */
import * as esbuild from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { withoutBarrels } from "./imports.ts"

const programs = [
  "nsqd",
  "nsqlookupd",
  "nsqadmin",
  "nsq_stat",
  "nsq_tail",
  "nsq_to_file",
  "nsq_to_http",
  "nsq_to_nsq",
  "to_nsq",
  "standalone",
  "nsq"
]
const root = Path.resolve(import.meta.dirname, "..")
const source = Path.join(root, "src")
const bin = Path.join(root, "dist", "bin")

/** Turns the clause of an import, such as `* as Fs` or `{ a, type B, c as d }`, into the pattern of a declaration. */
const pattern = (clause: string): string => {
  const names = /^\{(.*)\}$/s.exec(clause)?.[1]
  if (names === undefined) return clause.replace(/^\* as /, "")
  const values = names.split(",").map((name) => name.trim()).filter((name) => name !== "" && !name.startsWith("type "))
  return `{ ${values.map((name) => name.replace(" as ", ": ")).join(", ")} }`
}

/**
 * Turns imports of Node's modules into calls. For an import, Node reads every export of the module, and some are getters
 * that load much: `node:http` loads `fetch` with HTTP/2 and TLS (measured: 14 MB and 30 ms of a start).
 */
const withoutFacades = (code: string): string =>
  code.replaceAll(
    /^import (?!type )([^"]+?) from "(node:[a-z0-9_/]+)";?$/gm,
    (_, clause: string, name: string) =>
      `const ${pattern(clause)} = /* @__PURE__ */ globalThis.process.getBuiltinModule("${name}")`
  )

const platform = Path.join(root, "node_modules", "@effect")

const directImports: esbuild.Plugin = {
  name: "direct-imports",
  setup: (build) => {
    build.onLoad({ filter: /\.[jt]s$/ }, async ({ path }) => {
      if (!path.startsWith(source) && !path.startsWith(platform)) return undefined
      const code = withoutFacades(await Fs.promises.readFile(path, "utf8"))
      return path.endsWith(".ts") ? { contents: withoutBarrels(code), loader: "ts" } : { contents: code, loader: "js" }
    })
  }
}

/** WebSockets, which Effect's HTTP server loads at once and no program uses. */
const withoutWebSockets: esbuild.Plugin = {
  name: "without-web-sockets",
  setup: (build) => {
    build.onResolve({ filter: /^ws$/ }, ({ path }) => ({ path, namespace: "unused" }))
    build.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {}" }))
  }
}

/** Builds one program. */
const bundle = (program: string) =>
  esbuild.build({
    absWorkingDir: root,
    entryPoints: [{ in: `src/programs/${program}.ts`, out: program }],
    outdir: bin,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Puts dynamic imports into separate files, so that they are not read at startup.
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    platform: "node",
    format: "esm",
    target: "node22.19",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    banner: { js: "#!/usr/bin/env node" },
    // Native code that the first client with compression loads; the sketches that only percentiles load; and modules of Effect's
    // HTTP client for features that are not used here.
    external: ["snappy", "@node-rs/crc32", "@datadog/sketches-js", "undici"],
    plugins: [directImports, withoutWebSockets],
    logLevel: "warning"
  })

Fs.rmSync(bin, { recursive: true, force: true })
// Programs that share files load what any of them needs (measured: 5 to 15 ms of a start, and 4 MB of nsqlookupd).
for (const program of programs) {
  await bundle(program)
  Fs.renameSync(Path.join(bin, `${program}.mjs`), Path.join(bin, program))
  Fs.chmodSync(Path.join(bin, program), 0o755)
}
