/**
 * Builds nsqadmin's pages from `src/web` into `dist/web`. Paths in the page are relative; the server
 * prepends its base path.
 */
import { fileURLToPath } from "node:url"
import { defineConfig, type Plugin } from "vite"

/** Preloads all parts of the pages, which `main.ts` evaluates one after the other. */
const preloadParts: Plugin = {
  name: "preload-parts",
  transformIndexHtml: {
    order: "post",
    handler: (html, { bundle = {} }) =>
      Object.values(bundle)
        .filter((file) => file.type === "chunk" && !html.includes(file.fileName))
        .map(({ fileName }) => ({
          tag: "link",
          attrs: { rel: "modulepreload", href: `./${fileName}` },
          injectTo: "head"
        }))
  }
}

export default defineConfig({
  root: fileURLToPath(new URL("src/web", import.meta.url)),
  base: "./",
  publicDir: false,
  plugins: [preloadParts],
  resolve: {
    alias: [
      // @effect/atom-react still imports these modules by their names before Effect 4.1.
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
      // "use client" has no effect here, because no server renders the pages.
      onwarn: (warning, report) => warning.code === "MODULE_LEVEL_DIRECTIVE" ? undefined : report(warning)
    },
    // Licences of the bundled packages, such as React, Effect and uPlot.
    license: { fileName: "licenses.md" },
    chunkSizeWarningLimit: 1000
  }
})
