/**
 * Checks the ranges and combinations of nsqd's options, in NSQ's order and with NSQ's texts. Runs after the data
 * directory is locked and before anything listens. Files and addresses are checked when they are opened.
 */
import { Duration, Effect, Result } from "effect"
import * as DaemonNetworks from "../../net/DaemonNetworks.ts"
import { type OptionsError, refusedValue } from "../../options/OptionsError.ts"
import { durabilityOf } from "./Durability.ts"
import type { NsqdOptions } from "./NsqdTable.ts"

/**
 * Values derived from the options.
 *
 * @since 0.2.0
 * @category models
 */
export interface CheckedOptions {
  /** The networks of addresses that nsqlookupds may report. */
  readonly daemonNetworks: DaemonNetworks.DaemonNetworks
}

/**
 * Whether TCP clients must use TLS. As in NSQ, a client certificate policy implies it.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTlsRequired = ({ tlsClientAuthPolicy, tlsRequired }: NsqdOptions): boolean =>
  tlsRequired !== false || tlsClientAuthPolicy !== ""

/**
 * Whether plain HTTP is refused. With `tcp-https` it stays open.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPlainHttpRefused = (options: NsqdOptions): boolean =>
  isTlsRequired(options) && options.tlsRequired !== "tcp-https"

/** A segment has room for a message of the default maximum size, and smaller ones would be too many files. */
const minSegmentSize = 65_536

const problem = (options: NsqdOptions, hasOwnTls: boolean): string | undefined => {
  const { authHttpRequestMethod, e2eProcessingLatencyPercentiles, maxDeflateLevel, nodeId, tlsCert, tlsKey } = options
  if (maxDeflateLevel < 1 || maxDeflateLevel > 9) return "--max-deflate-level must be [1,9]"
  if (nodeId < 0 || nodeId >= 1024) return "--node-id must be [0,1024)"
  if (!hasOwnTls && isTlsRequired(options) && (tlsCert === "" || tlsKey === "")) {
    return "cannot require TLS client connections without TLS key and cert"
  }
  if (authHttpRequestMethod !== "get" && authHttpRequestMethod !== "post") {
    return "--auth-http-request-method must be post or get"
  }
  const percentile = e2eProcessingLatencyPercentiles.find((value) => !(value > 0 && value <= 1))
  if (percentile !== undefined) return `invalid E2E processing latency percentile: ${percentile}`
  if (options.statsdAddress !== "" && Duration.toMillis(options.statsdInterval) <= 0) {
    return "--statsd-interval must be greater than 0"
  }
  if (options.segmentSize < minSegmentSize) return `--segment-size must be at least ${minSegmentSize}`
  const durability = durabilityOf(options)
  if (Result.isFailure(durability)) return durability.failure.message
  return undefined
}

/**
 * Returns the values derived from the options. Fails with the first problem. `hasOwnTls`: the program provides TLS without a
 * certificate of the options; default false.
 *
 * @since 0.2.0
 * @category operations
 */
export const check = Effect.fnUntraced(function*(
  options: NsqdOptions,
  hasOwnTls = false
): Effect.fn.Return<CheckedOptions, OptionsError> {
  const message = problem(options, hasOwnTls)
  if (message !== undefined) return yield* refusedValue(message)
  const daemonNetworks = yield* Effect.fromResult(DaemonNetworks.fromOption(options.allowedDaemonNetworks))
  return { daemonNetworks }
})
