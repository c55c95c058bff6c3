/** `npm run dist`, after its build. Run `npm run build` before. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import * as Fs from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { packageVersion } from "../../src/services/core/Version.ts"
import { temporaryDirectory } from "../integration/daemon.ts"
import { root } from "./entryPoints.ts"
import { isBuilt } from "./project.ts"

const run = promisify(execFile)

const dist = (directory: string, only: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const args = [join(root, "scripts/dist.ts"), `--only=${only}`, `--out=${directory}`]
    await run(process.execPath, args, { env: { ...process.env, SOURCE_DATE_EPOCH: "1700000000" } })
    return Fs.readFileSync(join(directory, "SHA256SUMS"), "utf8").trim().split("\n")
  })

const Bom = Schema.fromJsonString(Schema.Struct({
  bomFormat: Schema.Literal("CycloneDX"),
  metadata: Schema.Struct({
    timestamp: Schema.String,
    component: Schema.Struct({ name: Schema.String, version: Schema.String })
  }),
  components: Schema.Array(Schema.Struct({ name: Schema.String, version: Schema.String }))
}))

describe.skipIf(!isBuilt)("npm run dist", () => {
  it.live("the artefacts have the same bytes in another directory, and checksums", () =>
    Effect.gen(function*() {
      const [first, second] = [yield* temporaryDirectory, yield* temporaryDirectory]
      const sums = yield* dist(first, "npm,sbom,deb")
      assert.deepStrictEqual(yield* dist(second, "npm,sbom,deb"), sums)
      assert.deepStrictEqual(sums.map((line) => line.split("  ")[1]), [
        `effect-nsq-${packageVersion}.tgz`,
        `effect-nsq-${packageVersion}.cdx.json`,
        `effect-nsq_${packageVersion}_all.deb`
      ])
      for (const line of sums) {
        const [sum, name = ""] = line.split("  ")
        assert.strictEqual(createHash("sha256").update(Fs.readFileSync(join(first, name))).digest("hex"), sum)
      }
    }), 240_000)

  it.live(
    "the SBOM names what npm installs with the package and what is bundled, and nothing else of development",
    () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        yield* dist(directory, "sbom")
        const text = Fs.readFileSync(join(directory, `effect-nsq-${packageVersion}.cdx.json`), "utf8")
        const { components, metadata } = yield* Schema.decodeEffect(Bom)(text)
        assert.deepStrictEqual(metadata, {
          timestamp: "2023-11-14T22:13:20.000Z",
          component: { name: "effect-nsq", version: packageVersion }
        })
        const names = components.map(({ name }) => name)
        const shipped = [
          "@datadog/sketches-js",
          "@effect/platform-node",
          "effect",
          "react",
          "re2js",
          "smol-toml",
          "undici"
        ]
        for (const name of shipped) assert.include(names, name)
        for (const name of ["vite", "vitest", "oxlint"]) assert.notInclude(names, name)
      }),
    240_000
  )
})
