/**
 * Chromium, and tabs that fail the test if a page has a script error, violates its Content-Security-Policy or sends a request
 * to another host.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import { existsSync } from "node:fs"
import process from "node:process"
import { type Browser as Chromium, type BrowserContextOptions, chromium, type Page } from "playwright-core"

/** Returns the path of Chromium: `CHROMIUM` from the environment, or a usual place. */
const executable = (): string => {
  const places = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
  const found = places.find((place) => place !== undefined && existsSync(place))
  if (found !== undefined) return found
  throw new Error("cannot find Chromium: install Debian's package chromium, or set CHROMIUM to the path of the program")
}

/** Timeout for an element to appear, in milliseconds: less than the timeout of a test, which does not say what it waited for. */
const patience = 60_000

export interface Tab {
  readonly page: Page
  /** Runs an operation on the page; fails after the timeout. */
  readonly act: <A>(what: (page: Page) => Promise<A>) => Effect.Effect<A>
  /** Opens a path below the base address of the tab. */
  readonly open: (path: string) => Effect.Effect<void>
}

export class Browser extends Context.Service<Browser, {
  /** Opens a tab in a browser context of its own. Fails when the Scope closes if the page misbehaved. */
  readonly tab: (base: string, options?: BrowserContextOptions) => Effect.Effect<Tab, never, Scope.Scope>
}>()("test/Browser") {
  static readonly layer: Layer.Layer<Browser> = Layer.effect(
    Browser,
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(() =>
          chromium.launch({ executablePath: executable(), args: ["--no-sandbox", "--disable-dev-shm-usage"] })
        ),
        (browser) => Effect.promise(() => browser.close())
      ),
      (browser) => Browser.of({ tab: (base, options) => openTab(browser, base, options) })
    )
  )
}

/** Console errors that are expected while a test stops a daemon. */
const expected = /net::ERR_|status of (4|5)\d\d/

const openTab = Effect.fnUntraced(function*(browser: Chromium, base: string, options: BrowserContextOptions = {}) {
  const { host } = new URL(base)
  const problems: Array<string> = []
  const context = yield* Effect.acquireRelease(
    Effect.promise(() => browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })),
    (context) => Effect.promise(() => context.close())
  )
  context.setDefaultTimeout(patience)
  const page = yield* Effect.promise(() => context.newPage())
  page.on("pageerror", (error) => problems.push(`script error: ${error.message}`))
  page.on("console", (message) => {
    const text = message.text()
    if (message.type() === "error" && !expected.test(text)) problems.push(`console: ${text}`)
  })
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && new URL(request.url()).host !== host) {
      problems.push(`request to another host: ${request.url()}`)
    }
  })
  page.on("dialog", (dialog) => {
    problems.push(`an injected script ran: ${dialog.message()}`)
    void dialog.dismiss()
  })
  yield* Effect.addFinalizer(() =>
    problems.length === 0 ? Effect.void : Effect.die(new Error(`the page misbehaved:\n${problems.join("\n")}`))
  )
  const act: Tab["act"] = (what) => Effect.promise(() => what(page))
  const tab: Tab = {
    page,
    act,
    open: (path) => Effect.asVoid(act((page) => page.goto(`${base}${path}`, { waitUntil: "load" })))
  }
  return tab
})
