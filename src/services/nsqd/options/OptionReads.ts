/** Which options the pieces of an nsqd read (`options/OptionReads.ts`). */
import type { Effect } from "effect"
import * as OptionReads from "../../options/OptionReads.ts"
import * as Options from "./NsqdOptions.ts"

type Name = keyof Options.NsqdOptions

/** The options of the log. */
export const ofLog: ReadonlyArray<Name> = ["logLevel", "logPrefix", "logFormat"]

/** The options of the TCP listener and its clients. */
export const ofTcp: ReadonlyArray<Name> = [
  "tcpAddress",
  "maxConnections",
  "maxHeartbeatInterval",
  "maxRdyCount",
  "maxOutputBufferSize",
  "maxOutputBufferTimeout",
  "minOutputBufferTimeout",
  "outputBufferTimeout",
  "deflate",
  "maxDeflateLevel",
  "snappy"
]

/** The options of the HTTP listeners. */
export const ofHttp: ReadonlyArray<Name> = [
  "httpAddress",
  "httpsAddress",
  "maxHttpConnections",
  "maxHttpConsumers",
  "httpAllowedHosts",
  // Consumers over HTTP have the limits of those over TCP.
  "maxRdyCount",
  "maxHeartbeatInterval"
]

/** The options of statsd. */
export const ofStatsd: ReadonlyArray<Name> = [
  "statsdAddress",
  "statsdPrefix",
  "statsdInterval",
  "statsdMemStats",
  "statsdUdpPacketSize",
  "statsdExcludeEphemeral"
]

/** The options of TLS. */
export const ofTls: ReadonlyArray<Name> = [
  "tlsCert",
  "tlsKey",
  "tlsClientAuthPolicy",
  "tlsRootCaFile",
  "tlsRequired",
  "tlsMinVersion"
]

/** The options of registration with nsqlookupds. */
export const ofLookup: ReadonlyArray<Name> = [
  "lookupdTcpAddresses",
  "allowedDaemonNetworks",
  "broadcastTcpPort",
  "broadcastHttpPort"
]

/** The options of the auth servers. */
export const ofAuthServers: ReadonlyArray<Name> = ["authHttpAddresses", "authHttpRequestMethod"]

/** The options of storage on disk. */
export const ofStorage: ReadonlyArray<Name> = [
  "dataPath",
  "segmentSize",
  "minFreeBytes",
  "maxBytesPerFile",
  "syncEvery",
  "syncTimeout"
]

/** The options of OpenTelemetry. */
export const ofTelemetry: ReadonlyArray<Name> = ["otlpEndpoint"]

const made = OptionReads.make<Options.NsqdOptions>({
  program: "nsqd",
  table: Options.table,
  defaults: Options.defaults,
  reference: Options.NsqdOptions,
  optional: [
    ...ofLog,
    ...ofTcp,
    ...ofHttp,
    ...ofStatsd,
    ...ofTls,
    ...ofLookup,
    ...ofAuthServers,
    ...ofStorage,
    ...ofTelemetry
  ]
})

/** The options that the pieces of one daemon have read so far. */
export type Reads = OptionReads.Reads<Name>

/** The record of the daemon around the caller, the Layer that gives each daemon its own, and the check at start. */
export const { check, current, layer } = made

/**
 * Returns the options, and records that a piece of the daemon reads those with these names. For the Layers of storage, TLS,
 * authorization and registration that a program replaces: an option that is set and that no piece reads ends the start.
 *
 * ```ts
 * const program = Effect.map(read("dataPath"), ({ dataPath }) => `${dataPath}/messages.sqlite`)
 * ```
 *
 * @since 0.2.0
 * @category operations
 */
export const read = (...names: ReadonlyArray<Name>): Effect.Effect<Options.NsqdOptions> => made.read(...names)
