/**
 * What a request line asks for: the path and the query parameters, decoded by the rules of NSQ's HTTP library. The first of
 * a repeated parameter counts; a `;` or a broken escape makes the whole query invalid. It knows no routes.
 */
import { unescape } from "node:querystring"

/** Parameters by name, first values only. */
export type Query = ReadonlyMap<string, string>

export interface RequestTarget {
  /** Decoded. */
  readonly path: string
  /** `?` and what follows, as sent; empty when there is no `?`. */
  readonly search: string
  /** Undefined when it is invalid. */
  readonly query: Query | undefined
}

const brokenEscape = /%(?![0-9a-fA-F]{2})/
// Somebody's proxy may send the absolute form.
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

/** Remembers what `derive` made of the last request lines; publishers send the same one again and again. */
export const cached = <A>(derive: (target: RequestTarget) => A): (uri: string) => A => {
  const known = new Map<string, A>()
  return (uri) => {
    const found = known.get(uri)
    if (found !== undefined) return found
    const derived = derive(parse(uri))
    if (uri.length <= maxCachedLength) {
      // Dropping everything is crude but keeps hits as cheap as they can be.
      if (known.size >= maxCached) known.clear()
      known.set(uri, derived)
    }
    return derived
  }
}
