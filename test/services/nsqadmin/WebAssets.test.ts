import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { gunzipSync, gzipSync } from "node:zlib"
import type { WebSettings } from "../../../src/protocol/http/admin/WebSettings.ts"
import * as NsqadminOptions from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { WebAssets } from "../../../src/services/nsqadmin/WebAssets.ts"

const settings: WebSettings = {
  version: "1.3.0",
  basePath: "/nsq",
  isAdmin: true,
  nsqlookupd: ["$& $1 \"quoted\" <b>"],
  sampleInterval: 5000,
  cluster: "",
  clusters: [],
  alertWebhooks: [],
  historySpan: 3_600_000,
  graphite: { enabled: false, url: "", counterFormat: "", gaugeFormat: "", interval: 60, prefix: "" }
}

/** The names of the files that the page loads. */
const filesOf = (page: string, basePath: string): ReadonlyArray<string> =>
  [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path.slice(`${basePath}/static/`.length))

describe("WebAssets", () => {
  it.effect("the page and its files are below 250 kB compressed", () =>
    Effect.gen(function*() {
      const { asset, page } = yield* WebAssets
      const html = yield* page(settings)
      const files = filesOf(html, settings.basePath)
      assert.isAtLeast(files.length, 3)
      let size = gzipSync(html).length
      for (const name of files) {
        const found = yield* asset(name)
        assert.isDefined(found, name)
        size += gzipSync(found?.content ?? "").length
      }
      assert.isBelow(size, 250_000)
    }).pipe(Effect.provide(WebAssets.layer)))

  it.effect("files that shrink are compressed once for all responses", () =>
    Effect.gen(function*() {
      const { asset, page } = yield* WebAssets
      for (const name of filesOf(yield* page(settings), settings.basePath)) {
        const { compressed, content } = (yield* asset(name)) ?? { compressed: undefined, content: undefined }
        assert.isDefined(compressed, name)
        if (compressed === undefined) continue
        assert.deepStrictEqual(gunzipSync(yield* compressed), content)
        assert.strictEqual(yield* compressed, yield* compressed)
      }
    }).pipe(Effect.provide(WebAssets.layer)))

  it.effect("the page contains its settings unchanged, whatever their characters", () =>
    Effect.gen(function*() {
      const { page } = yield* WebAssets
      const content = /<meta name="settings" content="([^"]*)">/.exec(yield* page(settings))?.[1] ?? ""
      assert.notInclude(content, "<")
      const text = content.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
      assert.deepStrictEqual(JSON.parse(text), settings)
    }).pipe(Effect.provide(WebAssets.layer)))

  it.effect("only built files are served, and with --dev-static-dir only files of that directory", () =>
    Effect.gen(function*() {
      const files = yield* FileSystem.FileSystem
      const directory = yield* files.makeTempDirectoryScoped()
      yield* files.makeDirectory(`${directory}/static`)
      yield* files.writeFileString(`${directory}/secret.js`, "secret")
      yield* files.writeFileString(`${directory}/static/own.js`, "own")
      const { asset } = yield* WebAssets
      for (const name of ["none.js", "../index.html", "constructor"]) assert.isUndefined(yield* asset(name))
      const other = WebAssets.layer.pipe(Layer.provide(NsqadminOptions.layer({ devStaticDir: `${directory}/static` })))
      const own = yield* Effect.provide(WebAssets, Layer.fresh(other))
      assert.strictEqual((yield* own.asset("own.js"))?.content.toString(), "own")
      assert.isUndefined(yield* own.asset("../secret.js"))
    }).pipe(Effect.provide([WebAssets.layer, NodeServices.layer])))
})
