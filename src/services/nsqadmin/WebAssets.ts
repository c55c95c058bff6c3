/**
 * The page and its files, as they come with the program (section 8 of the nsqadmin notes). All are read once, when the daemon
 * starts; with `--dev-static-dir` each time. The page is told its settings as text in an attribute, so that no script has to
 * stand in it.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { WebSettings } from "../../protocol/http/admin/WebSettings.ts"
import { AdminStartError } from "./AdminStartError.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"

export interface Asset {
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

/** Bundled programs lie in `dist/bin` and its `chunks`, the library in `dist/services/admin`, sources in `src`. */
const candidates = (from: string): ReadonlyArray<string> => [
  join(from, "..", "web"),
  join(from, "..", "..", "web"),
  join(from, "..", "..", "..", "dist", "web")
]

interface Built {
  readonly page: string
  readonly assets: ReadonlyMap<string, Asset>
}

const read = async (directory: string): Promise<Built> => {
  const files = join(directory, "static")
  const names = await readdir(files)
  const assets = names.map(async (name): Promise<[string, Asset]> => [
    name,
    { type: typeOf(name), content: await readFile(join(files, name)) }
  ])
  return { page: await readFile(join(directory, "index.html"), "utf8"), assets: new Map(await Promise.all(assets)) }
}

/** The built pages; sources without a build have none. */
const built = Effect.firstSuccessOf(
  candidates(dirname(import.meta.filename)).map((directory) => Effect.tryPromise(() => read(directory)))
).pipe(
  Effect.mapError(() => new AdminStartError({ detail: "the pages are missing: npm run build makes them" }))
)

const encodeSettings = Schema.encodeEffect(Schema.fromJsonString(WebSettings))

export class WebAssets extends Context.Service<WebAssets, {
  /** The page for a visitor. */
  readonly page: (settings: WebSettings) => Effect.Effect<string>
  /** A file by its name; undefined when there is none. */
  readonly asset: (name: string) => Effect.Effect<Asset | undefined>
}>()("effect-nsq/admin/WebAssets") {
  static readonly layer: Layer.Layer<WebAssets, AdminStartError> = Layer.effect(
    WebAssets,
    Effect.gen(function*() {
      const { devStaticDir } = yield* NsqadminOptions
      const { assets, page } = yield* built

      const fromDevDirectory = (name: string): Effect.Effect<Asset | undefined> =>
        Effect.tryPromise(() => readFile(join(devStaticDir, basename(name)))).pipe(
          Effect.map((content) => ({ type: typeOf(name), content })),
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
