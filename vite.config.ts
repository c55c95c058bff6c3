/**
 * Builds nsqadmin's pages from `src/web` into `dist/web`. Paths in the page are relative; the server puts its base path
 * before them.
 */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vite"

export default defineConfig({
  root: fileURLToPath(new URL("src/web", import.meta.url)),
  base: "./",
  publicDir: false,
  resolve: {
    alias: [
      // @effect/atom-react still knows these modules by the name they had before Effect 4.1.
      { find: /^effect\/unstable\/reactivity/, replacement: "effect/reactivity" }
    ]
  },
  build: {
    outDir: fileURLToPath(new URL("dist/web", import.meta.url)),
    emptyOutDir: true,
    assetsDir: "static",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    rolldownOptions: {
      // "use client" means nothing here: there is no server that renders.
      onwarn: (warning, report) => warning.code === "MODULE_LEVEL_DIRECTIVE" ? undefined : report(warning)
    },
    // Of what is shipped in the files, React, Effect and uPlot among it.
    license: { fileName: "licenses.md" },
    chunkSizeWarningLimit: 1000
  }
})
