/**
 * Checks the ranges and combinations of nsqd's options, in NSQ's order and with NSQ's texts. Runs after the data
 * directory is locked and before anything listens. Files and addresses are checked when they are opened.
 */
import { Duration, Effect, Result } from "effect"
import * as DaemonNetworks from "../../net/DaemonNetworks.ts"
import { isTlsRequired, type NsqdOptions } from "./NsqdOptions.ts"
import { NsqdStartError } from "./NsqdStartError.ts"

/** The first problem; `undefined` if the options are valid. */
export const problem = (options: NsqdOptions): string | undefined => {
  const { authHttpRequestMethod, e2eProcessingLatencyPercentiles, maxDeflateLevel, nodeId, tlsCert, tlsKey } = options
  if (maxDeflateLevel < 1 || maxDeflateLevel > 9) return "--max-deflate-level must be [1,9]"
  if (nodeId < 0 || nodeId >= 1024) return "--node-id must be [0,1024)"
  if (isTlsRequired(options) && (tlsCert === "" || tlsKey === "")) {
    return "cannot require TLS client connections without TLS key and cert"
  }
  if (authHttpRequestMethod !== "get" && authHttpRequestMethod !== "post") {
    return "--auth-http-request-method must be post or get"
  }
  const percentile = e2eProcessingLatencyPercentiles.find((value) => !(value > 0 && value <= 1))
  if (percentile !== undefined) return `invalid E2E processing latency percentile: ${percentile}`
  const networks = DaemonNetworks.parse(options.allowedDaemonNetworks)
  if (Result.isFailure(networks)) {
    return `failed to parse --allowed-daemon-networks - invalid CIDR address: ${networks.failure}`
  }
  if (options.statsdAddress !== "" && Duration.toMillis(options.statsdInterval) <= 0) {
    return "--statsd-interval must be greater than 0"
  }
  return undefined
}

/** Fails if the options are invalid. */
export const check = Effect.fnUntraced(function*(options: NsqdOptions): Effect.fn.Return<void, NsqdStartError> {
  const detail = problem(options)
  if (detail !== undefined) return yield* new NsqdStartError({ stage: "instantiate nsqd", detail })
})
