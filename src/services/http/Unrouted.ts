/**
 * NSQ's responses to requests without a route (docs/protocol/http.md#conventions), for nsqd's and nsqlookupd's router and for
 * nsqadmin's endpoints: 404 for an unknown path, 405 or the response to OPTIONS for a known one, a redirect to a path that
 * differs in its spelling only. Pure.
 */

/** The response to a request without a route. */
export type Unrouted =
  | { readonly _tag: "Redirect"; readonly status: 301 | 307; readonly path: string }
  | { readonly _tag: "Options"; readonly status: 200; readonly allow: string }
  | { readonly _tag: "Failure"; readonly status: 405; readonly code: "METHOD_NOT_ALLOWED"; readonly allow: string }
  | { readonly _tag: "Failure"; readonly status: 404; readonly code: "NOT_FOUND"; readonly allow?: undefined }

/** The response to an unknown path. */
export const notFound: Unrouted = { _tag: "Failure", status: 404, code: "NOT_FOUND" }

/** Returns the response to OPTIONS on a path with these methods. */
export const options = (methods: Iterable<string>): Unrouted => ({
  _tag: "Options",
  status: 200,
  allow: allow(methods)
})

const allow = (methods: Iterable<string>): string => [...new Set(methods), "OPTIONS"].sort().join(", ")

/**
 * Returns the response to a request whose path has only other methods, or none if the path is unknown. `corrected` is the path,
 * spelled otherwise, that has a route with this method. Only a GET is moved permanently: clients may repeat others as GET.
 */
export const decide = (
  method: string,
  methods: ReadonlyArray<string>,
  corrected: string | undefined
): Unrouted => {
  if (corrected !== undefined) return { _tag: "Redirect", status: method === "GET" ? 301 : 307, path: corrected }
  if (methods.length === 0) return notFound
  return method === "OPTIONS"
    ? options(methods)
    : { _tag: "Failure", status: 405, code: "METHOD_NOT_ALLOWED", allow: allow(methods) }
}

/** Returns the path with a final slash if it has none, and without if it has one. */
export const toggleSlash = (path: string): string => path.endsWith("/") ? path.slice(0, -1) : `${path}/`
