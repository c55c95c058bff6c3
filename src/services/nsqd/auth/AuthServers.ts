/**
 * The auth servers of `--auth-http-address`. They are asked in turn, from a random one on, until one gives an answer that is
 * understood; when none does, in time, nothing is allowed. What it takes to ask is only loaded when there are such servers.
 */
import { Data, Effect, Random, type Scope } from "effect"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { AuthFailed, type Authorizer, type Credentials } from "./Authorizer.ts"
import type * as AuthRequest from "./AuthRequest.ts"
import type { Grant } from "./Grant.ts"

/** An address that is none. */
export class AuthAddressError extends Data.TaggedError("AuthAddressError")<{ readonly address: string }> {
  override get message(): string {
    return `--auth-http-address: ${JSON.stringify(this.address)} is neither host:port nor the URL of an HTTP server`
  }
}

/** The URL for an address: that of `/auth`, unless the address is a URL itself. */
const endpointOf = (address: string): Effect.Effect<URL, AuthAddressError> => {
  const url = URL.parse(address.includes("://") ? address : `http://${address}/auth`)
  return url !== null && (url.protocol === "http:" || url.protocol === "https:")
    ? Effect.succeed(url)
    : Effect.fail(new AuthAddressError({ address }))
}

const askInTurn = Effect.fnUntraced(function*(
  ask: AuthRequest.Ask,
  endpoints: ReadonlyArray<URL>,
  credentials: Credentials
): Effect.fn.Return<Grant, AuthFailed> {
  const start = yield* Random.nextIntBetween(0, endpoints.length, { halfOpen: true })
  const reasons: Array<string> = []
  for (const endpoint of [...endpoints.slice(start), ...endpoints.slice(0, start)]) {
    const answer = yield* Effect.result(ask(endpoint, credentials))
    if (answer._tag === "Success") return answer.success
    reasons.push(`failed to auth against ${endpoint.host} - ${answer.failure.reason}`)
  }
  return yield* new AuthFailed({ reason: reasons.join("; ") })
})

/** An authorizer that asks the servers of `options`; `undefined` when there are none. */
export const make = Effect.fnUntraced(function*(
  options: NsqdOptions
): Effect.fn.Return<Authorizer | undefined, AuthAddressError | AuthRequest.TrustError, Scope.Scope> {
  if (options.authHttpAddresses.length === 0) return undefined
  const endpoints = yield* Effect.forEach(options.authHttpAddresses, endpointOf)
  const Request = yield* Effect.promise(() => import("./AuthRequest.ts"))
  const ask = yield* Request.make(options)
  return { query: (credentials) => askInTurn(ask, endpoints, credentials) }
})
