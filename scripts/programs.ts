/**
 * Builds `dist/bin`: bundles each program by itself into few files so that it starts fast, and writes the executable that loads it;
 * and `dist/licenses.md`.
 * `scripts/library.ts` builds the library.
 */
import * as esbuild from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { root, settings } from "./bundle.ts"
import { licensesOf, packagesOf } from "./licenses.ts"

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
const bin = Path.join(root, "dist", "bin")

/** Builds one program, which its executable loads. */
const bundle = (program: string) =>
  esbuild.build({
    ...settings,
    entryPoints: [{ in: `src/programs/${program}.ts`, out: `chunks/${program}` }],
    outdir: bin,
    outExtension: { ".js": ".mjs" },
    // Puts dynamic imports into separate files, so that they are not read at startup.
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    format: "esm",
    target: "node22.19",
    metafile: true,
    // Native code that the first client with compression loads; the sketches that only percentiles load; and modules of Effect's
    // HTTP client for features that are not used here.
    external: ["snappy", "@node-rs/crc32", "@datadog/sketches-js", "undici"]
  })

/**
 * Builds the executable of a program. It says what is needed to run the program on an old Node, which reads no other file: it would
 * not understand the others, or fail in them with their minified text.
 */
const launcher = (program: string) =>
  esbuild.build({
    absWorkingDir: root,
    stdin: {
      contents: `import { refusalOf } from "./nodeVersion.ts"
const refusal = refusalOf("${program}", process.version)
if (refusal === undefined) import("./chunks/${program}.mjs")
else {
  console.error(refusal)
  process.exitCode = 1
}`,
      resolveDir: Path.join(root, "src/programs")
    },
    outfile: Path.join(bin, program),
    bundle: true,
    external: ["./chunks/*"],
    format: "esm",
    target: "node12.22",
    banner: { js: "#!/usr/bin/env node" }
  })

Fs.rmSync(bin, { recursive: true, force: true })
// Programs that share files load what any of them needs (measured: 5 to 15 ms of a start, and 4 MB of nsqlookupd).
/** What the executable of a release contains beside the programs' bundles (`scripts/dist/executable.ts`). */
const ofExecutable = ["@datadog/sketches-js", "undici"].map((name) => `node_modules/${name}`)
const metafiles: Array<esbuild.Metafile> = []
for (const program of programs) {
  metafiles.push((await bundle(program)).metafile)
  await launcher(program)
  Fs.chmodSync(Path.join(bin, program), 0o755)
}
Fs.writeFileSync(
  Path.join(root, "dist", "licenses.md"),
  licensesOf([...packagesOf(metafiles), ...ofExecutable].toSorted())
)
