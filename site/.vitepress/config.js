/** The documentation site. `scripts/docs.ts` writes the pages and the navigation; nothing is loaded from another host. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const pages = fileURLToPath(new URL("../pages", import.meta.url))

/** The anchor that GitHub generates for a heading, so that links between documents work in both places. */
const slugify = (heading) => heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")

export default {
  title: "effect-nsq",
  description: "NSQ, the distributed real-time messaging platform, in TypeScript on Effect",
  srcDir: pages,
  outDir: fileURLToPath(new URL("../dist", import.meta.url)),
  cleanUrls: false,
  lastUpdated: false,
  // Dead links fail the build. Addresses of a daemon on this machine are part of the guides.
  ignoreDeadLinks: [/^https?:\/\/(?:localhost|127\.0\.0\.1)/],
  markdown: { anchor: { slugify }, headers: { slugify }, toc: { slugify } },
  vite: { build: { chunkSizeWarningLimit: 4000 } },
  themeConfig: {
    outline: [2, 3],
    search: { provider: "local" },
    ...JSON.parse(readFileSync(`${pages}/navigation.json`, "utf8"))
  }
}
