/**
 * Builds `dist/`: the programs, each bundled into one executable file so that it starts fast. The library beside them
 * is emitted by the TypeScript compiler (tsconfig.build.json).
 */
import * as esbuild from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"

const programs = ["nsqd"]
const root = import.meta.dirname
const bin = Path.join(root, "dist", "bin")

Fs.rmSync(bin, { recursive: true, force: true })
await esbuild.build({
  absWorkingDir: root,
  entryPoints: programs.map((name) => ({ in: `src/programs/${name}.ts`, out: name })),
  outdir: bin,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node22.19",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  banner: { js: "#!/usr/bin/env node" },
  logLevel: "warning"
})
for (const name of programs) {
  Fs.renameSync(Path.join(bin, `${name}.mjs`), Path.join(bin, name))
  Fs.chmodSync(Path.join(bin, name), 0o755)
}
