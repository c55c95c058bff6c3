/**
 * The endpoints of nsqadmin, and the responses to all other requests: NSQ's 404 and 405, and redirects to a path that differs
 * by a trailing slash (docs/protocol/http.md#conventions). Effect's router does not distinguish these cases.
 */
import { HttpServerResponse } from "effect/http"
import { HttpApi } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"

/** A method and a path. A segment that begins with a colon matches any non-empty segment. */
export interface Endpoint {
  readonly method: string
  readonly path: string
}

/** Returns the endpoints of the API. */
export const ofApi = (): ReadonlyArray<Endpoint> => {
  const endpoints: Array<Endpoint> = []
  HttpApi.reflect(AdminApi, {
    onGroup: () => {},
    onEndpoint: ({ endpoint: { method, path } }) => endpoints.push({ method, path })
  })
  return endpoints
}

const matches = (pattern: ReadonlyArray<string>, parts: ReadonlyArray<string>): boolean =>
  pattern.length === parts.length &&
  pattern.every((part, i) => part.startsWith(":") ? parts[i] !== "" : part === parts[i])

/** Returns an error response in NSQ's form. */
export const failure = (status: number, message: string, headers: Record<string, string> = {}) =>
  HttpServerResponse.jsonUnsafe({ message }, { status, headers })

/**
 * Returns a function that responds to requests without an endpoint, and returns `undefined` for all others. `base` is the
 * prefix of the paths in redirects.
 */
export const make = (endpoints: ReadonlyArray<Endpoint>, base: string) => {
  const patterns = endpoints.map(({ method, path }) => ({ method, parts: path.split("/") }))
  const methodsOf = (path: string): ReadonlyArray<string> => {
    const parts = path.split("/")
    return [...new Set(patterns.filter((pattern) => matches(pattern.parts, parts)).map(({ method }) => method))]
  }
  return (method: string, path: string, search: string): HttpServerResponse.HttpServerResponse | undefined => {
    const methods = methodsOf(path)
    if (methods.includes(method)) return undefined
    if (methods.length > 0) {
      const allow = [...methods, "OPTIONS"].sort().join(", ")
      return method === "OPTIONS"
        ? HttpServerResponse.empty({ status: 200, headers: { allow } })
        : failure(405, "METHOD_NOT_ALLOWED", { allow })
    }
    const toggled = path.endsWith("/") ? path.slice(0, -1) : `${path}/`
    if (path !== "/" && methodsOf(toggled).includes(method)) {
      const location = `${base}${toggled}${search}`
      return HttpServerResponse.empty({ status: method === "GET" ? 301 : 307, headers: { location } })
    }
    return failure(404, "NOT_FOUND")
  }
}
