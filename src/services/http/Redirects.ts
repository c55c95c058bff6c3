/** Which redirects a request follows, and what it sends then. The rules are those of Go's client. Pure. */
import { Result } from "effect"
import { Headers, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { HttpErrorReason } from "./HttpError.ts"

/**
 * `none` follows no redirect: a daemon must not direct requests to other servers. `same host` fails with `RedirectRefusal` for
 * other hosts, and from HTTPS to HTTP: the request contains a secret. `any host` sends only harmless headers there.
 */
export type Rule = "none" | "same host" | "any host"

/** The largest number of redirects of one request, as in Go. */
export const maxRedirects = 10

/** The statuses of redirects; only `repeating` ones keep the method and the body. */
const redirecting = new Set([301, 302, 303, 307, 308])
const repeating = new Set([307, 308])
/** Headers that are sent to another host; any other may be a secret, for example an API key. */
const harmless = new Set(["accept", "accept-encoding", "content-length", "content-type", "user-agent"])

/** Headers of a body, which a redirect that does not keep it would send without one. */
const ofBody = new Set(["content-length", "content-type"])

/** Whether a redirect stays on the requested host, and does not leave HTTPS. */
const isTrusted = (from: URL, to: URL): boolean =>
  to.hostname === from.hostname && (from.protocol === "http:" || to.protocol === "https:")

/** Returns the request that follows a redirect, or `undefined` if the response is not followed. */
export const next = (
  rule: Rule,
  request: HttpClientRequest.HttpClientRequest,
  response: HttpClientResponse.HttpClientResponse
): Result.Result<HttpClientRequest.HttpClientRequest | undefined, HttpErrorReason> => {
  const { headers: { location }, status } = response
  if (rule === "none" || !redirecting.has(status) || location === undefined || location === "") {
    return Result.succeed(undefined)
  }
  const from = new URL(request.url)
  const to = URL.parse(location, from.href)
  const isWeb = to !== null && /^https?:$/.test(to.protocol)
  if (rule === "same host" && !(isWeb && isTrusted(from, to))) {
    return Result.fail(HttpErrorReason.RedirectRefusal({ status }))
  }
  if (!isWeb) return Result.succeed(undefined)
  const repeats = repeating.has(status)
  const keeps = (name: string): boolean => (isTrusted(from, to) || harmless.has(name)) && (repeats || !ofBody.has(name))
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => keeps(name)))
  return Result.succeed(
    repeats
      ? HttpClientRequest.makeWith(
        request.method,
        to.href,
        request.urlParams,
        request.hash,
        Headers.fromInput(headers),
        request.body
      )
      : HttpClientRequest.get(to.href, { headers })
  )
}
