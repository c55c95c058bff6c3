/** The modules behind the entry points of package.json. */
export const entryPoints = [
  "src/index.ts",
  "src/broker.ts",
  "src/metrics.ts",
  "src/protocol/index.ts",
  "src/services/admin/index.ts",
  "src/services/client/index.ts",
  "src/services/persistence/index.ts",
  "src/services/promise/index.ts",
  "src/testing/index.ts"
]
