/** The flags of every utility that uses HTTP: two time limits. */
import { Duration, Effect } from "effect"
import type { HttpOptions } from "../http/HttpClients.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionTable.ts"
import { type ToolError, toolError } from "./ToolError.ts"

export const table = (requestTimeout: Duration.Input) => ({
  httpClientConnectTimeout: row(
    "http-client-connect-timeout",
    Kind.duration,
    () => Duration.seconds(2),
    "time limit for connecting by HTTP"
  ),
  httpClientRequestTimeout: row(
    "http-client-request-timeout",
    Kind.duration,
    () => Duration.fromInputUnsafe(requestTimeout),
    "time limit for an HTTP request and its answer"
  )
})

/** Both limits have to be positive. */
export const check = (options: HttpOptions): Effect.Effect<void, ToolError> => {
  if (!Duration.isPositive(options.httpClientConnectTimeout)) {
    return Effect.fail(toolError("--http-client-connect-timeout should be positive"))
  }
  return Duration.isPositive(options.httpClientRequestTimeout)
    ? Effect.void
    : Effect.fail(toolError("--http-client-request-timeout should be positive"))
}

/** The limits with none where they are not positive, for utilities that take them so. */
export const unlimitedUnlessPositive = <O extends HttpOptions>(options: O): O => ({
  ...options,
  httpClientConnectTimeout: orInfinity(options.httpClientConnectTimeout),
  httpClientRequestTimeout: orInfinity(options.httpClientRequestTimeout)
})

const orInfinity = (limit: Duration.Duration): Duration.Duration =>
  Duration.isPositive(limit) ? limit : Duration.infinity
