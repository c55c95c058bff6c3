/**
 * The target of a request line: the path and the query parameters, decoded as in NSQ's HTTP library. The first value of
 * a repeated parameter counts; a `;` or an invalid escape makes the whole query invalid.
 */
import { unescape } from "node:querystring"

/** Parameters by name, first values only. */
export type Query = ReadonlyMap<string, string>

/** The decoded target of a request. */
export interface RequestTarget {
  /** Decoded; `/` if it is empty. */
  readonly path: string
  /** The query with its `?`, as sent; empty without a `?`. */
  readonly search: string
  /** Undefined if the query is not valid. */
  readonly query: Query | undefined
}

const brokenEscape = /%(?![0-9a-fA-F]{2})/
// Proxies may send the absolute form.
const origin = /^https?:\/\/[^/?]*/i

const parseQuery = (text: string): Query | undefined => {
  const query = new Map<string, string>()
  if (text.includes(";") || brokenEscape.test(text)) return undefined
  for (const pair of text.split("&")) {
    if (pair === "") continue
    const equals = pair.indexOf("=")
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    if (!query.has(name)) query.set(name, equals < 0 ? "" : decode(pair.slice(equals + 1)))
  }
  return query
}

const decode = (text: string): string => unescape(text.replaceAll("+", " "))

/** Parses the target of a request line; never fails. */
export const parse = (uri: string): RequestTarget => {
  const local = uri.startsWith("/") ? uri : uri.replace(origin, "")
  const mark = local.indexOf("?")
  const path = mark < 0 ? local : local.slice(0, mark)
  const search = mark < 0 ? "" : local.slice(mark)
  return {
    path: path.includes("%") ? unescape(path) : path === "" ? "/" : path,
    search,
    query: parseQuery(search.slice(1))
  }
}

const maxCached = 1024
const maxCachedLength = 512

/** Caches the results of `derive` by request line, because publishers repeat the same one. */
export const cached = <A>(derive: (target: RequestTarget) => A): (uri: string) => A => {
  const known = new Map<string, A>()
  return (uri) => {
    const found = known.get(uri)
    if (found !== undefined) return found
    const derived = derive(parse(uri))
    if (uri.length <= maxCachedLength) {
      // Clearing the whole cache keeps hits as cheap as possible.
      if (known.size >= maxCached) known.clear()
      known.set(uri, derived)
    }
    return derived
  }
}
