/**
 * Builds `dist/bin`: the programs, each bundled into few files so that it starts fast. The library beside
 * them is emitted by the TypeScript compiler (tsconfig.build.json).
 */
import * as esbuild from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"

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
const root = import.meta.dirname
const source = Path.join(root, "src")
const bin = Path.join(root, "dist", "bin")

/** `Effect as E` of `import { Effect as E } from "effect"` as an import of its own module. */
const direct = (barrel: string, specifier: string): string => {
  const [name = "", alias = name] = specifier.split(/\s+as\s+/)
  return /^[A-Z]/.test(name)
    ? `import * as ${alias} from "${barrel}/${name}"`
    : `import { ${specifier} } from "${barrel}/Function"`
}

/**
 * Turns imports from Effect's barrel files into imports of the modules behind them. The bundler cannot shake what is
 * re-exported as a namespace, and would keep twice the code (measured: 20 ms of start-up time).
 */
const withoutBarrels = (code: string): string =>
  code.replaceAll(
    /^import (type )?\{([^}]+)\} from "(effect(?:\/[a-z-]+)?|@effect\/platform-node)"$/gm,
    (_, type: string | undefined, names: string, barrel: string) =>
      type !== undefined ? "" : names
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && !name.startsWith("type "))
        .map((name) => direct(barrel, name))
        .join(";")
  )

const effectModules: esbuild.Plugin = {
  name: "effect-modules",
  setup: (build) => {
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) =>
      path.startsWith(source)
        ? { contents: withoutBarrels(await Fs.promises.readFile(path, "utf8")), loader: "ts" }
        : undefined)
  }
}

Fs.rmSync(bin, { recursive: true, force: true })
await esbuild.build({
  absWorkingDir: root,
  entryPoints: programs.map((name) => ({ in: `src/programs/${name}.ts`, out: name })),
  outdir: bin,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  // What is imported when needed lies in files of its own, and is not read before.
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  platform: "node",
  format: "esm",
  target: "node22.19",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  banner: { js: "#!/usr/bin/env node" },
  // Native code, loaded when the first client asks for compression; what only percentiles load; and what Effect's HTTP client
  // would load for what it is not used for here.
  external: ["snappy", "@node-rs/crc32", "@datadog/sketches-js", "undici", "ws"],
  plugins: [effectModules],
  logLevel: "warning"
})
for (const name of programs) {
  Fs.renameSync(Path.join(bin, `${name}.mjs`), Path.join(bin, name))
  Fs.chmodSync(Path.join(bin, name), 0o755)
}
