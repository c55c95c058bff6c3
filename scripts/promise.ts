/**
 * Bundles `effect-nsq/promise` with the parts of Effect that it uses. Its programs do not use Effect, and no declaration names it, so
 * they need not load all of Effect's modules, which takes two thirds of the CPU time and half of the memory of an import.
 */
import * as esbuild from "esbuild"
import { settings } from "./bundle.ts"

/** Returns the files of the bundle, below `outdir`. */
export const bundlePromise = (outdir: string) =>
  esbuild.build({
    ...settings,
    // A stack trace has lines.
    minifyWhitespace: false,
    entryPoints: [{ in: "src/services/promise/index.ts", out: "index" }],
    outdir,
    // The HTTP client of consumers with nsqlookupd and the compression are loaded when they are needed.
    splitting: true,
    chunkNames: "[name]-[hash]",
    format: "esm",
    target: "node22.19",
    write: false,
    metafile: true,
    external: ["snappy", "@node-rs/crc32", "undici"]
  })
