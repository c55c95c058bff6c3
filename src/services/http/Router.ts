/**
 * Finds the route of a request, or the response if it has none, by NSQ's rules (docs/protocol/http.md#conventions).
 *
 * It does not use Effect's HttpRouter, which cannot give NSQ's responses: it does not distinguish an unknown path from a known
 * one with another method (404, 405 with `Allow`), handles HEAD as GET, lacks OPTIONS, and serves paths with another case or
 * extra slashes instead of redirecting to the canonical one.
 */
import type { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as HttpResponse from "./HttpResponse.ts"
import type { RequestTarget } from "./RequestTarget.ts"
import * as Unrouted from "./Unrouted.ts"

/** A request, as passed to handlers. */
export interface HttpRequest {
  readonly target: RequestTarget
  /** The last part of a path whose route ends in `/:name`; empty for others. */
  readonly parameter: string
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/** Handles a request; the failure contains the response, too. */
export type Handler = (request: HttpRequest) => Effect.Effect<HttpResponse.HttpResponse, HttpResponse.HttpFailure>

/** One endpoint. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  /** In lower case; may end in `/:name`. */
  readonly path: string
  readonly handle: Handler
  /** Whether requests appear in the access log; those to `/debug/pprof` do not. */
  readonly logged: boolean
}

/** Returns a route, logged by default. */
export const route = (method: Route["method"], path: string, handle: Handler, logged = true): Route => ({
  method,
  path,
  handle,
  logged
})

/** The result of a lookup: a route, or the response. */
export type Found =
  | { readonly _tag: "Endpoint"; readonly route: Route; readonly parameter: string }
  | { readonly _tag: "Response"; readonly response: HttpResponse.HttpResponse; readonly logged: boolean }

/** Looks up a request. */
export type Router = (method: string, target: RequestTarget) => Found

const respond = (response: HttpResponse.HttpResponse, logged: boolean): Found => ({
  _tag: "Response",
  response,
  logged
})

const escapeHtml = (text: string): string => text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`)

const redirect = (status: 301 | 307, path: string, search: string): Found => {
  const location = encodeURI(path) + search
  if (status === 307) return respond(HttpResponse.make(307, ["Location", location], ""), false)
  const page = `<a href="${escapeHtml(location)}">Moved Permanently</a>.\n\n`
  return respond(HttpResponse.html(301, page, ["Location", location]), false)
}

const responseTo = (unrouted: Unrouted.Unrouted, search: string): Found => {
  switch (unrouted._tag) {
    case "Redirect":
      return redirect(unrouted.status, unrouted.path, search)
    case "Options":
      return respond(HttpResponse.make(200, ["Allow", unrouted.allow], ""), false)
    case "Failure": {
      const { allow, code, status } = unrouted
      return respond(HttpResponse.failure(status, code, allow === undefined ? [] : ["Allow", allow]), true)
    }
  }
}

/** Removes doubled slashes and dot segments; keeps a trailing slash. */
const clean = (path: string): string => {
  const parts: Array<string> = []
  for (const part of path.split("/")) {
    if (part === "..") parts.pop()
    else if (part !== "" && part !== ".") parts.push(part)
  }
  return `/${parts.join("/")}${parts.length > 0 && path.endsWith("/") ? "/" : ""}`
}

/** Returns a router for these routes. */
export const make = (routes: ReadonlyArray<Route>): Router => {
  const byPath = new Map<string, Map<string, Route>>()
  for (const route of routes) {
    const methods = byPath.get(route.path) ?? new Map<string, Route>()
    byPath.set(route.path, methods.set(route.method, route))
  }
  const all = Unrouted.options(routes.map((route) => route.method))

  /** Returns the methods of an exact path, and its parameter. */
  const lookup = (path: string): { readonly methods: Map<string, Route>; readonly parameter: string } | undefined => {
    const exact = byPath.get(path)
    if (exact !== undefined) return { methods: exact, parameter: "" }
    const slash = path.lastIndexOf("/")
    const methods = slash === path.length - 1 ? undefined : byPath.get(`${path.slice(0, slash)}/:name`)
    return methods === undefined ? undefined : { methods, parameter: path.slice(slash + 1) }
  }

  /** Returns the path in the case of its route; parameters keep their case. */
  const canonical = (path: string, method: string): string | undefined => {
    const lower = path.toLowerCase()
    const found = lookup(lower)
    if (found?.methods.has(method) !== true) return undefined
    return lower.slice(0, lower.length - found.parameter.length) + path.slice(path.length - found.parameter.length)
  }

  const fix = (path: string, method: string): string | undefined => {
    if (path === "/") return undefined
    const toggled = Unrouted.toggleSlash(path)
    if (lookup(toggled)?.methods.has(method) === true) return toggled
    const cleaned = clean(path)
    return canonical(cleaned, method) ?? canonical(Unrouted.toggleSlash(cleaned), method)
  }

  return (method, target) => {
    const { path, search } = target
    const found = lookup(path)
    const route = found?.methods.get(method)
    if (found !== undefined && route !== undefined) return { _tag: "Endpoint", route, parameter: found.parameter }
    if (method === "OPTIONS" && path === "*") return responseTo(all, search)
    return responseTo(Unrouted.decide(method, [...found?.methods.keys() ?? []], fix(path, method)), search)
  }
}
