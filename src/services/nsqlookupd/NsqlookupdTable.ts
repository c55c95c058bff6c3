/**
 * The table of nsqlookupd's options: flag, kind, default and help text of each (docs/protocol/options.md#nsqlookupd-options).
 * `NsqlookupdOptions` derives the command line and the rest from it; `NsqlookupdOptionsCheck` checks the values.
 */
import * as NodeId from "../core/NodeId.ts"
import * as HttpOptions from "../options/HttpOptions.ts"
import * as LogOptions from "../options/LogOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import * as Row from "../options/OptionRow.ts"
import type { OptionsOf } from "../options/OptionTable.ts"

/** Flag, kind, default and help text of every option. */
export const table = {
  ...Row.group("Listeners", {
    /** Address to listen on for nsqd, `host:port`. Default: `0.0.0.0:4160`. */
    tcpAddress: Row.string("tcp-address", "0.0.0.0:4160", "<addr>:<port> to listen on for nsqd"),
    /** Address to listen on for HTTP, `host:port`. Default: `0.0.0.0:4161`. */
    httpAddress: Row.string("http-address", "0.0.0.0:4161", "<addr>:<port> to listen on for HTTP clients"),
    /** Limit for concurrent HTTP connections; 0 for no limit. Default: 10,000. */
    maxHttpConnections: HttpOptions.maxHttpConnections,
    /** Host names that browsers may use besides the daemon's own and private ones; `*` for all. Default: none. */
    httpAllowedHosts: HttpOptions.httpAllowedHosts
  }),
  ...Row.group("Registrations", {
    /** Address announced to nsqd, at which it requests channels. Default: the host name. */
    broadcastAddress: Row.row("broadcast-address", Kind.string, NodeId.hostname, "address announced to nsqd"),
    /** Time since its last PING after which a producer is hidden. Default: 5 min. */
    inactiveProducerTimeout: Row.duration(
      "inactive-producer-timeout",
      "5 minutes",
      "time since its last ping after which a producer is hidden"
    ),
    /** Time for which a tombstone hides a producer. Default: 45 s. */
    tombstoneLifetime: Row.duration(
      "tombstone-lifetime",
      "45 seconds",
      "time for which a producer stays hidden by a tombstone"
    ),
    /** Limit for the topics and channels of one producer; 0 for no limit. Default: 100,000. */
    maxRegistrationsPerProducer: Row.limit(
      "max-registrations-per-producer",
      100_000,
      "maximum number of topics and channels of one producer"
    ),
    /** Registrations of all producers, beyond which each may have an equal share; 0 for no limit. Default: 1,000,000. */
    maxRegistrations: Row.limit(
      "max-registrations",
      1_000_000,
      "registrations of all producers together, beyond which each may have an equal share"
    ),
    /** Limit for topics and channels without producers, the latest; 0 for no limit. Default: 100,000. */
    maxUnusedNames: Row.limit(
      "max-unused-names",
      100_000,
      "maximum number of topics and channels without producers, the latest"
    ),
    /** Time after which topics and channels without producers are forgotten; 0 for no limit. Default: 7 days. */
    unusedNameLifetime: Row.duration(
      "unused-name-lifetime",
      "7 days",
      "time after which topics and channels without producers are forgotten; 0 for never"
    )
  }),
  ...Row.group("Log", LogOptions.rows("nsqlookupd"))
}

/**
 * The options of an nsqlookupd. The defaults are in `table`.
 *
 * @since 0.2.0
 * @category models
 */
export interface NsqlookupdOptions extends LogOptions.LogOptions, OptionsOf<typeof table> {}
