/**
 * The endpoints of nsqadmin, and the responses to all other requests, which `Unrouted` decides. Effect's router does not
 * distinguish these cases. A path is corrected by a trailing slash only.
 */
import { HttpServerResponse } from "effect/http"
import { HttpApi } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import * as Unrouted from "../http/Unrouted.ts"

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

/** Returns the response to a request without an endpoint. `base` is the prefix of the path in redirects. */
const responseTo = (
  unrouted: Unrouted.Unrouted,
  base: string,
  search: string
): HttpServerResponse.HttpServerResponse => {
  switch (unrouted._tag) {
    case "Redirect": {
      const location = `${base}${unrouted.path}${search}`
      return HttpServerResponse.empty({ status: unrouted.status, headers: { location } })
    }
    case "Options":
      return HttpServerResponse.empty({ status: 200, headers: { allow: unrouted.allow } })
    case "Failure": {
      const { allow, code, status } = unrouted
      return failure(status, code, allow === undefined ? {} : { allow })
    }
  }
}

/** The response to a path that is not below the base path. */
export const notFound: HttpServerResponse.HttpServerResponse = responseTo(Unrouted.notFound, "", "")

/**
 * Returns a function that responds to requests without an endpoint, and returns `undefined` for all others. `base` is the
 * prefix of the paths in redirects.
 */
export const make = (endpoints: ReadonlyArray<Endpoint>, base: string) => {
  const patterns = endpoints.map(({ method, path }) => ({ method, parts: path.split("/") }))
  const methodsOf = (path: string): ReadonlyArray<string> => {
    const parts = path.split("/")
    return patterns.filter((pattern) => matches(pattern.parts, parts)).map(({ method }) => method)
  }
  return (method: string, path: string, search: string): HttpServerResponse.HttpServerResponse | undefined => {
    const methods = methodsOf(path)
    if (methods.includes(method)) return undefined
    const toggled = Unrouted.toggleSlash(path)
    const corrected = path !== "/" && methodsOf(toggled).includes(method) ? toggled : undefined
    return responseTo(Unrouted.decide(method, methods, corrected), base, search)
  }
}
