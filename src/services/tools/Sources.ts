/**
 * The sources of the tools that consume: flags, checks and error messages (docs/protocol/tools.md#common-behaviour).
 */
import { Effect, Result } from "effect"
import { isValidName } from "../../protocol/client/Names.ts"
import { type ConnectionOptions, type ConsumerOptions, NsqdConnection, type Servers } from "../client/index.ts"
import * as DaemonNetworks from "../net/DaemonNetworks.ts"
import type { Transport } from "../net/Transport.ts"
import * as PeerOptions from "../options/DaemonPeerOptions.ts"
import * as LogOptions from "../options/LogOptions.ts"
import type { LogFormat } from "../options/LogOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionRow.ts"
import * as ClientSettings from "./ClientSettings.ts"
import { invalidOption, type ToolError, toolError } from "./ToolError.ts"

/** Options of every tool that consumes. */
export interface SourceOptions {
  readonly logFormat: LogFormat
  readonly nsqdTcpAddresses: ReadonlyArray<string>
  readonly lookupdHttpAddresses: ReadonlyArray<string>
  readonly consumerOpt: ClientSettings.ClientSettings
  readonly maxInFlight: number
  /** Networks that addresses from nsqlookupd must be in, in CIDR notation; empty for the default rule. */
  readonly allowedDaemonNetworks: ReadonlyArray<string>
}

const none = (): ReadonlyArray<string> => []

/** The flags of `SourceOptions`. */
export const table = {
  logFormat: LogOptions.formatRow,
  nsqdTcpAddresses: row("nsqd-tcp-address", Kind.strings, none, "nsqd TCP address (may be given several times)"),
  lookupdHttpAddresses: row(
    "lookupd-http-address",
    Kind.strings,
    none,
    "nsqlookupd HTTP address (may be given several times)"
  ),
  consumerOpt: row(
    "consumer-opt",
    ClientSettings.kind,
    (): ClientSettings.ClientSettings => new Map(),
    "option of the consumer as name,value (may be given several times)"
  ),
  maxInFlight: row("max-in-flight", Kind.count, () => 200, "maximum number of messages in flight"),
  allowedDaemonNetworks: PeerOptions.allowedDaemonNetworks
}

/** Returns the configured servers, which must be of exactly one kind. */
export const servers = (options: SourceOptions): Effect.Effect<Servers, ToolError> => {
  const { consumerOpt, lookupdHttpAddresses: lookupd, nsqdTcpAddresses: nsqd } = options
  const { allowedDaemonNetworks: allowedNetworks } = options
  if (nsqd.length === 0 && lookupd.length === 0) {
    return Effect.fail(invalidOption("--nsqd-tcp-address or --lookupd-http-address required"))
  }
  if (nsqd.length > 0 && lookupd.length > 0) {
    return Effect.fail(invalidOption("use --nsqd-tcp-address or --lookupd-http-address not both"))
  }
  const parsed = DaemonNetworks.parse(allowedNetworks)
  if (Result.isFailure(parsed)) {
    return Effect.fail(invalidOption(`--allowed-daemon-networks error - ${parsed.failure.message}`))
  }
  return Effect.succeed(
    nsqd.length > 0 ? { nsqd } : { lookupd, ...ClientSettings.pollOptions(consumerOpt), allowedNetworks }
  )
}

/** Fails if a configured nsqd cannot be reached, or refuses this client. The loss of one later does not end the program. */
const checkUsable = (servers: Servers, connection: ConnectionOptions): Effect.Effect<void, ToolError, Transport> =>
  "nsqd" in servers
    ? Effect.forEach(servers.nsqd, (address) => Effect.scoped(NsqdConnection.open(address, connection)), {
      concurrency: "unbounded",
      discard: true
    }).pipe(Effect.mapError(({ message }) => toolError("DaemonFailure", message)))
    : Effect.void

/** Returns the connection options, after checking that the configured servers accept them. */
export const connection = Effect.fnUntraced(function*(
  options: SourceOptions,
  program: string
): Effect.fn.Return<ConnectionOptions, ToolError, Transport> {
  const wanted = yield* ClientSettings.connectionOptions(options.consumerOpt, program)
  yield* checkUsable(yield* servers(options), wanted)
  return wanted
})

/** Returns the options of a consumer of this topic and channel. `program` is the user agent, name and version. */
export const consumerOptions = Effect.fnUntraced(function*(
  options: SourceOptions,
  program: string,
  topic: string,
  channel: string
): Effect.fn.Return<Omit<ConsumerOptions<Uint8Array>, "topic">, ToolError, Transport> {
  const from = yield* servers(options)
  if (!isValidName(topic)) return yield* invalidOption("invalid topic name")
  if (!isValidName(channel)) return yield* invalidOption("invalid channel name")
  return {
    channel,
    servers: from,
    connection: yield* connection(options, program),
    maxInFlight: options.maxInFlight,
    ...ClientSettings.consumingOptions(options.consumerOpt)
  }
})
