/**
 * Refuses requests, before any handler, that another site may have made a browser send: requests of another site's page, and
 * requests for a host name that is not the daemon's (DNS rebinding). Clients that are not browsers pass. The guard knows only
 * the client, not the effect of a request; `GuardRules` name the routes that change or start something by GET.
 *
 * Hot path: every publish by HTTP passes `makeGuard`'s function.
 */
import { Effect, FiberSet, type Scope } from "effect"
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import { peerAddress } from "../net/Transport.ts"
import * as HostNames from "./HostNames.ts"
import * as HttpResponse from "./HttpResponse.ts"
import * as RequestTarget from "./RequestTarget.ts"

/** The rules of a guard. */
export interface GuardRules {
  /** The name of the daemon in refusals. */
  readonly daemon: string
  /** The clients that have to send an allowed `Host`. */
  readonly hostCheckedOf: "everyone" | "browsers"
  /** Allowed names besides private ones and those of the machine: the daemon's own, and `--http-allowed-host`. */
  readonly allowedHosts: ReadonlyArray<string>
  /** Paths, in lower case, whose GET changes something. Browsers are refused there, because any page can make them send GETs. */
  readonly changesByGet: (path: string) => boolean
  /** Paths whose GET starts something costly or visible. A browser has to prove that the page is the daemon's own. */
  readonly startsByGet: (path: string) => boolean
}

/** Returns the refusal of a request; undefined if it is allowed. */
export type RequestGuard = (incoming: IncomingMessage) => HttpResponse.HttpResponse | undefined

const maxShownLength = 253

const printable = (text: string): string => text.slice(0, maxShownLength).replace(/[^\x20-\x7e]/g, "?")

const twoHosts = HttpResponse.plain(400, "400 Bad Request: more than one Host header\n")
const anotherSite = HttpResponse.failure(403, "FORBIDDEN: the request comes from another site")
const notByGet = HttpResponse.failure(403, "FORBIDDEN: a browser must use POST here")
const unknownSite = HttpResponse.failure(403, "FORBIDDEN: the site that sent the request is unknown")

const hostRefused = (daemon: string, host: string): HttpResponse.HttpResponse => {
  const shown = printable(host)
  return HttpResponse.plain(
    403,
    `403 Forbidden: ${daemon} does not serve the host "${shown}"\n\n` +
      "Reason: a web page can point a name of its own at this address (DNS rebinding), so only known names are served.\n" +
      `If the name is right, start ${daemon} with --http-allowed-host=${shown} (or * for every name).\n`
  )
}

/** Runtimes whose `fetch` sends `Sec-Fetch-Mode` although no page is involved. */
const runtimes = /^(?:node|undici|Deno\/.*|Bun\/.*)$/

/**
 * Whether a browser sent the request. A page can choose the `User-Agent` (in Firefox and Safari), and a page that has rebound
 * its name sends neither `Origin` nor `Sec-Fetch-...` with a GET. No page can remove `Accept-Language`, which programs do not
 * send; a runtime's `fetch` sends it together with `Sec-Fetch-Mode`, which no page can add.
 */
export const isBrowser = (headers: IncomingHttpHeaders): boolean => {
  const agent = headers["user-agent"]
  if (headers.origin !== undefined || headers["sec-fetch-site"] !== undefined) return true
  if (agent?.startsWith("Mozilla/") === true) return true
  const fetched = headers["sec-fetch-mode"] ?? headers["sec-fetch-dest"] ?? headers["sec-fetch-user"]
  return fetched === undefined
    ? headers["accept-language"] !== undefined
    : agent === undefined || !runtimes.test(agent)
}

const hostOf = (url: string): string => URL.parse(url)?.host ?? ""

/** Whether `url` has the host of the request, or the original host that a proxy reports. */
const isOwn = (url: string, headers: IncomingHttpHeaders): boolean => {
  const host = hostOf(url)
  return host !== "" && (host === headers.host?.toLowerCase() || host === headers["x-forwarded-host"])
}

/** The site of the page that sent the request, if the browser states it. `Sec-Fetch-Site` does not depend on proxies. */
const siteOf = (headers: IncomingHttpHeaders): "own" | "other" | "unknown" => {
  const site = headers["sec-fetch-site"]
  if (site !== undefined) return site === "same-origin" || site === "none" ? "own" : "other"
  if (headers.origin === undefined) return "unknown"
  return isOwn(headers.origin, headers) ? "own" : "other"
}

const hasTwoHosts = ({ rawHeaders }: IncomingMessage): boolean => {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === 4 && name.toLowerCase() === "host") hosts++
  }
  return hosts > 1
}

/** Whether the user follows a link to the daemon: the browser leaves the other site's page, which cannot read the response. */
const isNavigation = (method: string | undefined, headers: IncomingHttpHeaders): boolean =>
  method === "GET" && headers["sec-fetch-mode"] === "navigate" &&
  (headers["sec-fetch-dest"] === undefined || headers["sec-fetch-dest"] === "document")

/** Returns the guard with these rules, which does not log. */
export const makeGuard = (rules: GuardRules): RequestGuard => {
  const isAllowedHost = HostNames.makeCheck([...rules.allowedHosts, ...HostNames.ofMachine()])

  const fromBrowser = ({ headers, method, url = "/" }: IncomingMessage): HttpResponse.HttpResponse | undefined => {
    const site = siteOf(headers)
    const isGet = method === "GET" || method === "HEAD"
    const path = isGet ? RequestTarget.parse(url).path.toLowerCase() : ""
    if (isGet && rules.changesByGet(path)) return notByGet
    const starts = isGet && rules.startsByGet(path)
    if (site === "other") return starts || !isNavigation(method, headers) ? anotherSite : undefined
    // Browsers send the site only over HTTPS and to loopback. Pages of other sites cannot forge a Referer.
    if (starts && site === "unknown" && !isOwn(headers.referer ?? "", headers)) return unknownSite
    return undefined
  }

  return (incoming) => {
    const { headers } = incoming
    if (hasTwoHosts(incoming)) return twoHosts
    const browser = isBrowser(headers)
    if (!browser && rules.hostCheckedOf === "browsers") return undefined
    const { host } = headers
    if (host !== undefined && host !== "") {
      const name = HostNames.nameOf(host)
      if (name === undefined || !isAllowedHost(name)) return hostRefused(rules.daemon, name ?? host)
    }
    return browser ? fromBrowser(incoming) : undefined
  }
}

/** The number of refusals that are logged as warnings; further ones have the level debug, because clients repeat requests. */
const maxWarnings = 100

/** Returns the guard of a listener: `makeGuard` with a log line for each refusal. */
export const make = Effect.fnUntraced(
  function*(rules: GuardRules): Effect.fn.Return<RequestGuard, never, Scope.Scope> {
    const guard = makeGuard(rules)
    const fork = yield* FiberSet.makeRuntime<never>()
    let warnings = 0
    return (incoming) => {
      const refusal = guard(incoming)
      if (refusal === undefined) return undefined
      const { headers, method, socket, url } = incoming
      const from = peerAddress(socket.remoteAddress, socket.remotePort)
      const [reason = ""] = refusal.body.toString().split("\n")
      const line = `${refusal.status} ${method} ${printable(url ?? "")} (${from}) refused: ${reason} ` +
        `[host ${printable(headers.host ?? "")}, origin ${printable(headers.origin ?? "")}]`
      fork(warnings++ < maxWarnings ? Effect.logWarning(line) : Effect.logDebug(line))
      return refusal
    }
  }
)
