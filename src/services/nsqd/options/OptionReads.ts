/**
 * Which options the pieces of an nsqd read. An option that is set and that no piece reads would be ignored silently: a certificate
 * without TLS, or a data directory with storage in memory. The daemon refuses it at start.
 */
import { Context, Effect, Layer } from "effect"
import type { OptionsError } from "../../options/OptionsError.ts"
import * as UnreadOptions from "../../options/UnreadOptions.ts"
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
export const ofHttp: ReadonlyArray<Name> = ["httpAddress", "httpsAddress", "maxHttpConnections", "httpAllowedHosts"]

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

/** The options that belong to pieces which can be left out or replaced. Every other option is always read. */
const optional = new Set<Name>([
  ...ofLog,
  ...ofTcp,
  ...ofHttp,
  ...ofStatsd,
  ...ofTls,
  ...ofLookup,
  ...ofAuthServers,
  ...ofStorage,
  ...ofTelemetry
])

/** The options that the pieces of one daemon have read so far. */
export class Reads {
  private readonly names = new Set<Name>()

  add(names: ReadonlyArray<Name>): void {
    for (const name of names) this.names.add(name)
  }
  has(name: Name): boolean {
    return this.names.has(name)
  }
}

/** Where pieces record what they read; by default a record that is not checked. */
const OptionReads: Context.Reference<Reads> = Context.Reference("effect-nsq/options/OptionReads", {
  defaultValue: () => new Reads()
})

/** The reads of the daemon around the caller. */
export const current: Effect.Effect<Reads> = Effect.map(OptionReads, (reads) => reads)

/** Gives each daemon its own record. */
export const layer: Layer.Layer<never> = Layer.fresh(Layer.sync(OptionReads, () => new Reads()))

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
export const read = (...names: ReadonlyArray<Name>): Effect.Effect<Options.NsqdOptions> =>
  Effect.flatMap(OptionReads, (reads) =>
    Effect.map(Options.NsqdOptions, (options) => {
      reads.add(names)
      return options
    }))

/** Fails for the first option that differs from its default and that no piece has read. */
export const check = (reads: Reads): Effect.Effect<void, OptionsError> =>
  Effect.flatMap(Options.NsqdOptions, (options) =>
    UnreadOptions.check({
      program: "nsqd",
      table: Options.table,
      defaults: Options.defaults(),
      options,
      isRead: (name) => !optional.has(name) || reads.has(name)
    }))
