/**
 * The auth servers of `--auth-http-address`. They are queried in turn, starting with a random one, until one returns
 * a valid response; if none does in time, everything is refused. The HTTP client is loaded only if servers are
 * configured.
 */
import { Effect, Layer, Random, type Scope } from "effect"
import type { NetError } from "../../net/NetError.ts"
import { type OptionsError, refusedValue } from "../../options/OptionsError.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import * as OptionReads from "../options/OptionReads.ts"
import { AuthError, authError } from "./AuthError.ts"
import { Authorizer, type Credentials } from "./Authorizer.ts"
import type * as AuthRequest from "./AuthRequest.ts"
import type { Grant } from "./Grant.ts"

/** The URL for an address: `/auth` on `host:port`, or the address itself if it is a URL. */
const endpointOf = (address: string): Effect.Effect<URL, AuthError> => {
  const url = URL.parse(address.includes("://") ? address : `http://${address}/auth`)
  return url !== null && (url.protocol === "http:" || url.protocol === "https:")
    ? Effect.succeed(url)
    : Effect.fail(
      authError(
        "InvalidAddress",
        `--auth-http-address: ${JSON.stringify(address)} is neither host:port nor an HTTP URL`
      )
    )
}

const queryInTurn = Effect.fnUntraced(function*(
  query: AuthRequest.Query,
  endpoints: ReadonlyArray<URL>,
  credentials: Credentials
): Effect.fn.Return<Grant, AuthError> {
  const start = yield* Random.nextIntBetween(0, endpoints.length, { halfOpen: true })
  const reasons: Array<string> = []
  for (const endpoint of [...endpoints.slice(start), ...endpoints.slice(0, start)]) {
    const result = yield* Effect.result(query(endpoint, credentials))
    if (result._tag === "Success") return result.success
    reasons.push(`failed to auth against ${endpoint.host} - ${result.failure.message}`)
  }
  return yield* AuthError.refusal(reasons.join("; "))
})

/**
 * An authorizer that queries the servers of `options`; `undefined` if none are configured. Fails if an address is not valid.
 *
 * @since 0.2.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function*(
  options: NsqdOptions
): Effect.fn.Return<Authorizer | undefined, AuthError | NetError, Scope.Scope> {
  if (options.authHttpAddresses.length === 0) return undefined
  const endpoints = yield* Effect.forEach(options.authHttpAddresses, endpointOf)
  const Request = yield* Effect.promise(() => import("./AuthRequest.ts"))
  const query = yield* Request.make(options)
  return { query: (credentials) => queryInTurn(query, endpoints, credentials) }
})

/**
 * Authorization by the auth servers of the options; without any, by the `Authorizer` of the environment. Fails if an address is
 * not valid, and if there are both, because one of them would have no effect.
 *
 * @since 0.2.0
 * @category layers
 */
export const layer: Layer.Layer<never, AuthError | NetError | OptionsError> = Layer.effect(
  Authorizer,
  Effect.gen(function*() {
    const provided = yield* Authorizer
    const servers = yield* make(yield* OptionReads.read(...OptionReads.ofAuthServers))
    if (servers === undefined) return provided
    if (provided === undefined) return servers
    return yield* refusedValue("--auth-http-address has no effect: the program has its own Authorizer")
  })
)
