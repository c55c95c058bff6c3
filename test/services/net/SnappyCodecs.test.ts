import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Esbuild from "esbuild"
import { resolve } from "node:path"
import { unlimited } from "../../../src/services/core/Turns.ts"
import * as SnappyCodecs from "../../../src/services/net/SnappyCodecs.ts"
import * as SnappyConnection from "../../../src/services/net/SnappyConnection.ts"
import * as MemoryTransport from "../../../src/testing/MemoryTransport.ts"
import { noise, open, readBytes } from "./connections.ts"

const source = resolve(import.meta.dirname, "../../../src/services/net/SnappyCodecs.ts")

describe("the codecs of Snappy", () => {
  it.effect("a peer with the native code and a peer with the JavaScript understand each other", () =>
    Effect.gen(function*() {
      const native = yield* SnappyCodecs.loadNative
      assert(native !== undefined)
      const pure = yield* SnappyCodecs.loadPure
      const ends = yield* open
      const connection = SnappyConnection.make(ends.server, native, unlimited)
      const other = SnappyConnection.make(ends.client, pure, unlimited)
      for (const content of [Buffer.from("OK"), Buffer.alloc(300_000, "abc"), noise(200_000)]) {
        for (const [from, to] of [[connection, other], [other, connection]] as const) {
          from.write(content)
          assert.isTrue((yield* readBytes(to, content.length)).equals(content))
        }
      }
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("the native code is preferred, and loaded once", () =>
    Effect.gen(function*() {
      const codec = yield* SnappyCodecs.load
      assert.strictEqual(yield* SnappyCodecs.load, codec)
      assert.notStrictEqual(codec.crc32c, (yield* SnappyCodecs.loadPure).crc32c)
    }))

  it("a bundler finds no native package", async () => {
    const { metafile } = await Esbuild.build({
      entryPoints: [source],
      bundle: true,
      write: false,
      splitting: true,
      outdir: "out",
      format: "esm",
      platform: "node",
      metafile: true,
      packages: "external"
    })
    const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path))
    assert.deepStrictEqual(imported.filter((path) => /snappy$|crc32$/.test(path)), [])
    assert.isTrue(imported.some((path) => path.endsWith("SnappyBlock.ts")))
  })
})
