/**
 * The page and its files (docs/protocol/http.md#pages). All are read once at start; with `--dev-static-dir` files are read for
 * each request. The page has its settings in an attribute, so that it needs no inline script.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import process from "node:process"
import type * as Sea from "node:sea"
import { gzip } from "node:zlib"
import { WebSettings } from "../../protocol/http/admin/WebSettings.ts"
import { NsqadminError, NsqadminErrorReason } from "./NsqadminError.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"

/** A file of the page. */
export interface Asset {
  readonly type: string
  readonly content: Buffer
  /** The content in gzip; the first use compresses it for all later ones. Undefined for a file that may change or does not shrink. */
  readonly compressed: Effect.Effect<Buffer> | undefined
}

interface BuiltAsset {
  readonly type: string
  readonly content: Buffer
}

const types = new Map([
  ["js", "text/javascript; charset=utf-8"],
  ["css", "text/css; charset=utf-8"],
  ["svg", "image/svg+xml"],
  ["png", "image/png"],
  ["ico", "image/x-icon"],
  ["woff2", "font/woff2"],
  ["map", "application/json"]
])

const typeOf = (name: string): string => types.get(name.slice(name.lastIndexOf(".") + 1)) ?? "application/octet-stream"

const escapeAttribute = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

/** The places of the built pages, relative to `dist/bin` and its chunks, to the library in `dist`, and to `src`. */
const candidates = (from: string): ReadonlyArray<string> => [
  join(from, "..", "web"),
  join(from, "..", "..", "web"),
  join(from, "..", "..", "..", "dist", "web")
]

interface Built {
  readonly page: string
  readonly assets: ReadonlyMap<string, BuiltAsset>
}

const read = async (directory: string): Promise<Built> => {
  const files = join(directory, "static")
  const names = await readdir(files)
  const assets = names.map(async (name): Promise<[string, BuiltAsset]> => [
    name,
    { type: typeOf(name), content: await readFile(join(files, name)) }
  ])
  return { page: await readFile(join(directory, "index.html"), "utf8"), assets: new Map(await Promise.all(assets)) }
}

/** Reads the pages inside the single executable (`scripts/dist/executable.ts`). */
const readInside = ({ getAsset, getAssetKeys, getRawAsset }: typeof Sea): Built => {
  const place = "web/static/"
  const names = getAssetKeys().filter((key) => key.startsWith(place))
  return {
    page: getAsset("web/index.html", "utf8"),
    assets: new Map(names.map((key) => [
      key.slice(place.length),
      { type: typeOf(key), content: Buffer.from(getRawAsset(key)) }
    ]))
  }
}

/** The built pages. Fails if they have not been built. */
const built = Effect.suspend(() => {
  const sea = process.getBuiltinModule("node:sea")
  return sea.isSea()
    ? Effect.sync(() => readInside(sea))
    : Effect.firstSuccessOf(
      candidates(dirname(import.meta.filename)).map((directory) => Effect.tryPromise(() => read(directory)))
    )
}).pipe(
  Effect.mapError(() => {
    const description = "cannot find the built pages: run npm run build"
    return new NsqadminError({ reason: NsqadminErrorReason.MissingPages({ description }) })
  })
)

/** Images and fonts are compressed already. */
const shrinks = (type: string): boolean => /^(?:text\/|application\/json|image\/svg)/.test(type)

/** Clients that go away do not end it, because others may wait for it as well. */
const compress = (content: Buffer): Effect.Effect<Buffer> =>
  Effect.uninterruptible(
    Effect.callback((resume) =>
      gzip(content, (error, compressed) => resume(error === null ? Effect.succeed(compressed) : Effect.die(error)))
    )
  )

const encodeSettings = Schema.encodeEffect(Schema.fromJsonString(WebSettings))

/** The page and its files. */
export class WebAssets extends Context.Service<WebAssets, {
  /** Returns the HTML of the page with these settings. */
  readonly page: (settings: WebSettings) => Effect.Effect<string>
  /** Returns a file by its name; undefined if it does not exist. */
  readonly asset: (name: string) => Effect.Effect<Asset | undefined>
}>()("effect-nsq/admin/WebAssets") {
  static readonly layer: Layer.Layer<WebAssets, NsqadminError> = Layer.effect(
    WebAssets,
    Effect.gen(function*() {
      const { devStaticDir } = yield* NsqadminOptions
      const { assets: files, page } = yield* built
      const assets = new Map<string, Asset>()
      for (const [name, { content, type }] of files) {
        const compressed = shrinks(type) ? yield* Effect.cached(compress(content)) : undefined
        assets.set(name, { type, content, compressed })
      }

      const fromDevDirectory = (name: string): Effect.Effect<Asset | undefined> =>
        Effect.tryPromise(() => readFile(join(devStaticDir, basename(name)))).pipe(
          Effect.map((content) => ({ type: typeOf(name), content, compressed: undefined })),
          Effect.orElseSucceed(() => undefined)
        )

      return WebAssets.of({
        page: (settings) =>
          Effect.map(Effect.orDie(encodeSettings(settings)), (json) =>
            page
              .replaceAll("\"./static/", () => `"${escapeAttribute(settings.basePath)}/static/`)
              .replace("__SETTINGS__", () => escapeAttribute(json))),
        asset: (name) => devStaticDir === "" ? Effect.succeed(assets.get(name)) : fromDevDirectory(name)
      })
    })
  )
}
