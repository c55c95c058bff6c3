/** How much an import of the package loads: each module takes time and memory at the start of a program. */
import { assert, describe, it } from "@effect/vitest"
import { bundlePromise } from "../../scripts/promise.ts"
import { builtinsOf, modulesOf } from "./entryPoints.ts"

/**
 * The largest number of modules that each entry point may load; `effect-nsq/promise` is a bundle. Effect with Schema and Stream has about 150; an import of all of
 * `effect` has 250.
 */
const limits: Readonly<Record<string, number>> = {
  "": 815,
  "/admin": 265,
  "/broker": 515,
  "/client": 170,
  "/persistence": 380,
  "/protocol": 187,
  "/testing": 650
}

const unwanted = /node_modules\/(?:redis|@redis|undici|snappy|@node-rs|@effect\/platform-node\/dist\/index)\b/

/** Modules of Node that take long to load. An import of `node:http` alone loads all others, for its exports. */
const heavy = ["crypto", "http", "http2", "https", "tls", "worker_threads", "zlib"].map((name) => `node:${name}`)

describe("imports of the package", () => {
  for (const [suffix, limit] of Object.entries(limits)) {
    it(`effect-nsq${suffix} loads at most ${limit} modules, and no database, second HTTP client or native code`, async () => {
      const modules = await modulesOf(suffix)
      assert.deepStrictEqual(modules.filter((path) => unwanted.test(path)), [])
      assert.deepStrictEqual(modules.filter((path) => path.endsWith("effect/dist/index.js")), [])
      assert.isAtMost(modules.length, limit)
      assert.isAbove(modules.length, 100)
    })
  }

  it("effect-nsq/client loads no HTTP client until it sends an HTTP request, and no Schema until it has a value", async () => {
    const modules = await modulesOf("/client")
    assert.deepStrictEqual(
      modules.filter((path) => /@effect\/platform-node|effect\/dist\/(?:Schema|SchemaAST|http\/|net\/)/.test(path)),
      []
    )
  })

  it("effect-nsq/promise is a bundle with the parts of Effect that it uses, and loads no other package at first", async () => {
    const { metafile: { outputs } } = await bundlePromise("out")
    const loaded = new Set<string>()
    const packages = new Set<string>()
    const load = (path: string): void => {
      if (loaded.has(path)) return
      loaded.add(path)
      for (const { external, kind, path: imported } of outputs[path]?.imports ?? []) {
        if (kind === "dynamic-import") continue
        if (external === true) packages.add(imported)
        else load(imported)
      }
    }
    load("out/index.js")
    assert.deepStrictEqual([...packages], [])
    const bytes = [...loaded].reduce((sum, path) => sum + (outputs[path]?.bytes ?? Infinity), 0)
    assert.isAtMost(bytes, 700_000)
    assert.isAbove(bytes, 200_000)
  })

  it("effect-nsq/broker and effect-nsq/testing load no WebSockets until a client of nsqd opens one", async () => {
    for (const suffix of ["/broker", "/testing"]) {
      const modules = await modulesOf(suffix)
      assert.deepStrictEqual(modules.filter((path) => path.includes("node_modules/ws/")), [])
    }
  })

  for (const suffix of ["/client", "/promise", "/protocol"]) {
    it(`effect-nsq${suffix} loads none of Node's heavy modules until it needs them`, async () => {
      const builtins = await builtinsOf(suffix)
      assert.deepStrictEqual(builtins.filter((name) => heavy.includes(name)), [])
      if (suffix !== "/protocol") assert.include(builtins, "node:net")
    })
  }
})
