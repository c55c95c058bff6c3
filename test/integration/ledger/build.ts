/**
 * nsqd bundled from its current sources, as the build does: it starts four times as fast as the sources, and tests do not
 * depend on the last build.
 */
import * as Esbuild from "esbuild"
import * as Path from "node:path"
import { removeDirectory, temporaryDirectory } from "./program.ts"

const root = Path.resolve(import.meta.dirname, "../../..")

/** The command that runs the bundle, and an operation that removes it. */
export interface Built {
  readonly command: ReadonlyArray<string>
  readonly remove: () => void
}

export const buildNsqd = async (): Promise<Built> => {
  // Inside node_modules, so that external packages resolve.
  const outdir = temporaryDirectory(Path.join(root, "node_modules"))
  await Esbuild.build({
    absWorkingDir: root,
    entryPoints: ["src/programs/nsqd.ts"],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node22.19",
    external: ["snappy", "@node-rs/crc32", "@datadog/sketches-js", "undici", "ws"],
    logLevel: "warning"
  })
  return { command: [process.execPath, Path.join(outdir, "nsqd.mjs")], remove: () => removeDirectory(outdir) }
}
