/**
 * Finds what a request is about, or the answer when there is no such thing, by the rules of section 7 of the nsqd notes.
 *
 * A table of our own, because Effect's HttpRouter cannot give NSQ's answers: it does not tell an unknown path from a known one
 * with another method (404, 405 with `Allow`), answers HEAD by GET, has no OPTIONS, and serves paths with another case or
 * extra slashes instead of redirecting to the canonical one.
 */
import type { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as HttpResponse from "./HttpResponse.ts"
import type { RequestTarget } from "./RequestTarget.ts"

/** A request as endpoints see it. */
export interface HttpRequest {
  readonly target: RequestTarget
  /** The last part of a path whose route ends in `/:name`; empty for others. */
  readonly parameter: string
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

export type Handler = (request: HttpRequest) => Effect.Effect<HttpResponse.HttpResponse, HttpResponse.HttpFailure>

export interface Route {
  readonly method: "GET" | "POST" | "PUT"
  /** In lower case; may end in `/:name`. */
  readonly path: string
  readonly handle: Handler
  /** Requests to `/debug/pprof` do not appear in the log. */
  readonly logged: boolean
}

export const route = (method: Route["method"], path: string, handle: Handler, logged = true): Route => ({
  method,
  path,
  handle,
  logged
})

/** What `find` found: an endpoint, or the answer. */
export type Found =
  | { readonly _tag: "Endpoint"; readonly route: Route; readonly parameter: string }
  | { readonly _tag: "Answer"; readonly response: HttpResponse.HttpResponse; readonly logged: boolean }

export type Router = (method: string, target: RequestTarget) => Found

const answer = (response: HttpResponse.HttpResponse, logged: boolean): Found => ({ _tag: "Answer", response, logged })

const notFound = answer(HttpResponse.failure(404, "NOT_FOUND"), true)

const optionsAnswer = (allow: ReadonlyArray<string>): Found =>
  answer(HttpResponse.make(200, allow.length === 0 ? [] : ["Allow", allow.join(", ")], ""), false)

const escapeHtml = (text: string): string => text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`)

const redirect = (method: string, path: string, search: string): Found => {
  const location = encodeURI(path) + search
  if (method !== "GET") return answer(HttpResponse.make(307, ["Location", location], ""), false)
  const page = `<a href="${escapeHtml(location)}">Moved Permanently</a>.\n\n`
  return answer(HttpResponse.html(301, page, ["Location", location]), false)
}

/** Without doubled slashes and dot segments; a slash at the end stays. */
const clean = (path: string): string => {
  const parts: Array<string> = []
  for (const part of path.split("/")) {
    if (part === "..") parts.pop()
    else if (part !== "" && part !== ".") parts.push(part)
  }
  return `/${parts.join("/")}${parts.length > 0 && path.endsWith("/") ? "/" : ""}`
}

const toggleSlash = (path: string): string => path.endsWith("/") ? path.slice(0, -1) : `${path}/`

export const make = (routes: ReadonlyArray<Route>): Router => {
  const byPath = new Map<string, Map<string, Route>>()
  for (const route of routes) {
    const methods = byPath.get(route.path) ?? new Map<string, Route>()
    byPath.set(route.path, methods.set(route.method, route))
  }
  const all = [...new Set(routes.map((route) => route.method)), "OPTIONS"].sort()

  /** The methods of an exact path, and its parameter. */
  const lookup = (path: string): { readonly methods: Map<string, Route>; readonly parameter: string } | undefined => {
    const exact = byPath.get(path)
    if (exact !== undefined) return { methods: exact, parameter: "" }
    const slash = path.lastIndexOf("/")
    const methods = slash === path.length - 1 ? undefined : byPath.get(`${path.slice(0, slash)}/:name`)
    return methods === undefined ? undefined : { methods, parameter: path.slice(slash + 1) }
  }

  /** The path in the case of its route; parameters keep theirs. */
  const canonical = (path: string, method: string): string | undefined => {
    const lower = path.toLowerCase()
    const found = lookup(lower)
    if (found?.methods.has(method) !== true) return undefined
    return lower.slice(0, lower.length - found.parameter.length) + path.slice(path.length - found.parameter.length)
  }

  const fix = (path: string, method: string): string | undefined => {
    if (path === "/") return undefined
    const toggled = toggleSlash(path)
    if (lookup(toggled)?.methods.has(method) === true) return toggled
    const cleaned = clean(path)
    return canonical(cleaned, method) ?? canonical(toggleSlash(cleaned), method)
  }

  return (method, target) => {
    const { path, search } = target
    const found = lookup(path)
    const route = found?.methods.get(method)
    if (found !== undefined && route !== undefined) return { _tag: "Endpoint", route, parameter: found.parameter }
    if (method === "OPTIONS" && path === "*") return optionsAnswer(all)
    const fixed = fix(path, method)
    if (fixed !== undefined) return redirect(method, fixed, search)
    if (found === undefined) return notFound
    const allow = [...found.methods.keys(), "OPTIONS"].sort()
    return method === "OPTIONS"
      ? optionsAnswer(allow)
      : answer(HttpResponse.failure(405, "METHOD_NOT_ALLOWED", ["Allow", allow.join(", ")]), true)
  }
}
