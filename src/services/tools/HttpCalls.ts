/** Two timeouts, as flags of every tool that uses HTTP. */
import { Duration, Effect } from "effect"
import type { HttpOptions } from "../http/HttpClients.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import { invalidOption, type ToolError } from "./ToolError.ts"

/** The flags; `requestTimeout` is the default of the request timeout. */
export const table = (requestTimeout: Duration.Input) => ({
  httpClientConnectTimeout: row(
    "http-client-connect-timeout",
    Kind.duration,
    () => Duration.seconds(2),
    "timeout for HTTP connect"
  ),
  httpClientRequestTimeout: row(
    "http-client-request-timeout",
    Kind.duration,
    () => Duration.fromInputUnsafe(requestTimeout),
    "timeout for an HTTP request including its response"
  )
})

/** Fails unless both timeouts are positive. */
export const check = (options: HttpOptions): Effect.Effect<void, ToolError> => {
  if (!Duration.isPositive(options.httpClientConnectTimeout)) {
    return Effect.fail(invalidOption("--http-client-connect-timeout should be positive"))
  }
  return Duration.isPositive(options.httpClientRequestTimeout)
    ? Effect.void
    : Effect.fail(invalidOption("--http-client-request-timeout should be positive"))
}

/** Replaces timeouts that are not positive by Infinity. */
export const unlimitedUnlessPositive = <O extends HttpOptions>(options: O): O => ({
  ...options,
  httpClientConnectTimeout: orInfinity(options.httpClientConnectTimeout),
  httpClientRequestTimeout: orInfinity(options.httpClientRequestTimeout)
})

const orInfinity = (limit: Duration.Duration): Duration.Duration =>
  Duration.isPositive(limit) ? limit : Duration.infinity
