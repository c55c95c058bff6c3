import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Files that start processes and browsers begin first: otherwise the longest of them runs alone at the end, for a minute. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const isLong = ({ moduleId }: TestSpecification): boolean => /\/test\/(?:integration|package)\//.test(moduleId)
    const { long = [], short = [] } = Object.groupBy(await super.sort(files), (file) => isLong(file) ? "long" : "short")
    return [...long, ...short]
  }
}

const source = (path: string): string => new URL(`src/${path}`, import.meta.url).pathname

export default defineConfig({
  // The examples are tested against the sources, not the last build.
  resolve: {
    alias: [
      { find: /^effect-nsq$/, replacement: source("index.ts") },
      { find: /^effect-nsq\/admin$/, replacement: source("services/admin/index.ts") },
      { find: /^effect-nsq\/broker$/, replacement: source("broker.ts") },
      { find: /^effect-nsq\/client$/, replacement: source("services/client/index.ts") },
      { find: /^effect-nsq\/persistence$/, replacement: source("services/persistence/index.ts") },
      { find: /^effect-nsq\/promise$/, replacement: source("services/promise/index.ts") },
      { find: /^effect-nsq\/protocol$/, replacement: source("protocol/index.ts") },
      { find: /^effect-nsq\/testing$/, replacement: source("testing/index.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    // These end tests that hang. A test that passes may take as long as a slow machine needs, ten times as long as a developer's.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // All processors: many tests wait for processes and browsers. Vitest's default leaves one processor out.
    maxWorkers: "100%",
    sequence: { concurrent: false, sequencer: LongestFirst },
    exclude: ["node_modules/**", "dist/**"]
  }
})
